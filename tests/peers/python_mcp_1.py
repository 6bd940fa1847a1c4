"""The official Python client, mcp 1.x: the protocol revisions that begin with `initialize`."""

import asyncio
import sys
from contextlib import asynccontextmanager

from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import OAuthClientMetadata

import peer

TRANSPORT = sys.argv[2]


async def main():
    memory, answers = peer.Memory(), []

    async def redirect(url):
        answers.append(await asyncio.to_thread(peer.authorize, url))

    async def callback():
        answer = answers.pop()
        return answer["code"], answer.get("state")

    url = peer.endpoint(TRANSPORT)
    metadata = OAuthClientMetadata(client_name="Python mcp 1", redirect_uris=[peer.REDIRECT_URI])
    provider = OAuthClientProvider(url, metadata, memory, redirect, callback)
    async with streams(url, provider) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            await peer.walk(session, provider, memory)


@asynccontextmanager
async def streams(url, provider):
    if TRANSPORT == "sse":
        async with sse_client(url, auth=provider) as both:
            yield both
    else:
        async with create_mcp_http_client(auth=provider) as http:
            async with streamable_http_client(url, http_client=http) as (read, write, _):
                yield read, write


asyncio.run(main())
