"""A Chatwoot in a test's own words: a handler in place of the network, answers streamed as the client reads."""

import httpx


class Answering(httpx.MockTransport):
    """httpx's own hands over answers that have been read already."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if not answer.is_stream_consumed:
            return answer
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))
