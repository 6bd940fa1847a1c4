"""The official Python client, mcp 2.x: the newest protocol revision over Streamable HTTP."""

import asyncio

from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

import peer


async def main():
    memory, answers = peer.Memory(), []

    async def redirect(url):
        answers.append(await asyncio.to_thread(peer.authorize, url))

    async def callback():
        answer = answers.pop()
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer["iss"])

    metadata = OAuthClientMetadata(client_name="Python mcp 2", redirect_uris=[peer.REDIRECT_URI])
    provider = OAuthClientProvider(peer.SERVER, metadata, memory, redirect, callback)
    async with create_mcp_http_client(auth=provider) as http:
        async with Client(streamable_http_client(peer.SERVER, http_client=http)) as client:
            await peer.walk(client, provider, memory)


asyncio.run(main())
