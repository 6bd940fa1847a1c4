"""The official Python client, mcp 2.x: the newest protocol revision (`auto`), and those before it."""

import asyncio
import sys
from contextlib import asynccontextmanager

from mcp import Client, ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

import peer
from peer import check

TRANSPORT, ERA = sys.argv[2:]


async def main():
    memory, answers = peer.Memory(), []

    async def redirect(url):
        answers.append(await asyncio.to_thread(peer.authorize, url))

    async def callback():
        answer = answers.pop()
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer["iss"])

    url = peer.endpoint(TRANSPORT)
    metadata = OAuthClientMetadata(client_name="Python mcp 2", redirect_uris=[peer.REDIRECT_URI])
    provider = OAuthClientProvider(url, metadata, memory, redirect, callback)
    connected = over_sse if TRANSPORT == "sse" else over_streamable_http
    async with connected(url, provider) as session:
        with peer.step("revision"):
            newest = TRANSPORT == "http" and ERA == "auto"
            expected = "2026-07-28" if newest else "2025-11-25"
            check(session.protocol_version == expected, f"it is {session.protocol_version}")
        await peer.walk(session, provider, memory)


@asynccontextmanager
async def over_streamable_http(url, provider):
    async with create_mcp_http_client(auth=provider) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=ERA) as client:
            yield client


@asynccontextmanager
async def over_sse(url, provider):
    async with sse_client(url, auth=provider) as streams:
        async with ClientSession(*streams) as session:
            await session.initialize()
            yield session


asyncio.run(main())
