"""The official Python client, mcp 1.x: the protocol revisions that begin with `initialize`."""

import asyncio

from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import OAuthClientMetadata

import peer


async def main():
    memory, answers = peer.Memory(), []

    async def redirect(url):
        answers.append(await asyncio.to_thread(peer.authorize, url))

    async def callback():
        answer = answers.pop()
        return answer["code"], answer.get("state")

    metadata = OAuthClientMetadata(client_name="Python mcp 1", redirect_uris=[peer.REDIRECT_URI])
    provider = OAuthClientProvider(peer.SERVER, metadata, memory, redirect, callback)
    async with create_mcp_http_client(auth=provider) as http:
        async with streamable_http_client(peer.SERVER, http_client=http) as (read, write, _):
            async with ClientSession(read, write) as session:
                await session.initialize()
                await peer.walk(session, provider, memory)


asyncio.run(main())
