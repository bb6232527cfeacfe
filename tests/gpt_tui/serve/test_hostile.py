"""What a client may send by mistake or on purpose: a status and one line, and the next request is answered."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.generate import stream
from core.runs import LoadedModel
from gpt_tui.serve import api, worker
from gpt_tui.serve.schema import ApiError, ChatRequest, CompletionRequest, read

CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "什么是水？"}]}


@pytest.fixture(scope="module")
def http(served: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


def problem(reply: httpx.Response) -> tuple[int, str]:
    """Status and message, the body being OpenAI's error object."""
    error = reply.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    return reply.status_code, error["message"]


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        ("", 400, "not valid JSON"),
        ("{", 400, "not valid JSON"),
        (b"\xff\xfe{}", 400, "not valid JSON"),
        ("[" * 100_000, 400, "nested"),
        ("[" * 600 + "]" * 600, 400, ""),  # Python 3.13 reads it, and it is no object
        ("9" * 5000, 400, "JSON"),
        ('{"messages": NaN}', 400, "NaN"),
        ("[]", 400, "object"),
        ("{}", 400, "messages"),
        ({"messages": []}, 400, "messages"),
        ({"messages": "hello"}, 400, "messages"),
        ({"messages": [{"role": "user"}]}, 400, "messages.0.content"),
        ({"messages": [{"role": "robot", "content": "a"}]}, 400, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "  "}]}, 400, "empty"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, 400, "question before"),
        ({"messages": [*ASK["messages"], {"role": "assistant", "content": "a"}]}, 400, "the user's"),
        ({"messages": [{"role": "user", "content": "a"}] * 501}, 400, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 422, "text"),
        ({**ASK, "temperature": "hot"}, 400, "temperature"),
        ({**ASK, "temperature": -1}, 400, "temperature"),
        ({**ASK, "top_p": 1.5}, 400, "top_p"),
        ({**ASK, "max_tokens": 0}, 400, "max_tokens"),
        ({**ASK, "max_tokens": 10**30}, 400, "max_tokens"),
        ({**ASK, "seed": 2**80}, 400, "seed"),
        ({**ASK, "stop": [1]}, 400, "stop"),
        ({**ASK, "stop": ["a"] * 17}, 400, "stop"),
        ({**ASK, "stop": "a" * 201}, 400, "stop"),
        ({**ASK, "stream": "yes"}, 400, "stream"),
        ({**ASK, "logprobs": True, "top_logprobs": 21}, 400, "top_logprobs"),
        ({**ASK, "n": 2}, 422, "n:"),
        ({**ASK, "tools": [{"type": "function"}]}, 422, "tools"),
        ({**ASK, "frequency_penalty": 0.5}, 422, "frequency_penalty"),
        ({**ASK, "response_format": {"type": "json_object"}}, 422, "response_format"),
        ({**ASK, "model": "gpt-4"}, 404, "tiny"),
    ],
    ids=str,
)  # fmt: skip
def test_refused_with_the_reason(http: httpx.Client, body: Any, status: int, part: str) -> None:
    content = json.dumps(body) if isinstance(body, dict) else body
    found, message = problem(http.post(CHAT, content=content, headers={"Content-Type": "application/json"}))
    assert (found, part in message) == (status, True), message


@pytest.mark.parametrize(
    "more",
    [
        {"user": "me", "store": False, "metadata": {}, "n": 1, "presence_penalty": 0, "logit_bias": {}, "tools": []},
        {"temperature": None, "stop": None, "seed": None, "max_tokens": None, "stream": None, "top_p": None},
        {"seed": -5, "stop": "", "temperature": 0},
        {"messages": [{"role": "user", "content": "\ud800 什么是水？\u202e\x00"}]},
        {"messages": [{"role": "developer", "content": "x"}, {"role": "user", "content": "{0} {text} <eos>"}]},
    ],
    ids=str,
)
def test_what_does_no_harm_is_taken(http: httpx.Client, more: dict[str, Any]) -> None:
    body = json.dumps({**ASK, **more})  # escapes whatever UTF-8 cannot hold
    reply = http.post(CHAT, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 200, reply.text
    assert reply.json()["choices"][0]["message"]["content"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(
    [*ChatRequest.model_fields, *CompletionRequest.model_fields, "n", "tools", "response_format", "other"]
)


@settings(max_examples=40)
@given(st.dictionaries(names, values, max_size=6), st.sampled_from([ChatRequest, CompletionRequest]))
def test_no_value_is_a_fault_of_the_server(body: dict[str, Any], kind: Any) -> None:
    statuses: set[int] = set()
    try:
        read(kind, json.dumps(body).encode())
    except ApiError as refused:
        statuses.add(refused.status)
    assert statuses <= {400, 422}


def test_a_large_body_is_not_kept(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "x" * (api.MAX_BODY + 1)}]})
    assert problem(http.post(CHAT, content=body, headers={"Content-Type": "application/json"}))[0] == 413


def test_a_body_that_does_not_come(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "BODY_SECONDS", 0.05)
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as raw:
        raw.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
        assert raw.recv(65536).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_any_web_page_may_send_is_refused(http: httpx.Client, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert problem(http.post(CHAT, content=json.dumps(ASK), headers=headers))[0] == 415


def test_no_other_site_may_ask(http: httpx.Client, serve: Any) -> None:
    ask = {"Origin": "https://site.example", "Access-Control-Request-Method": "POST"}
    reply = http.options(CHAT, headers=ask)
    assert reply.status_code == 405
    assert "access-control-allow-origin" not in reply.headers
    assert "access-control-allow-origin" not in http.get("/v1/models", headers=ask).headers
    with serve(origins=["https://site.example"], key="correct-horse") as served:
        reply = httpx.options(served.url + CHAT, headers=ask)
        assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, "https://site.example")
        assert httpx.options(served.url + CHAT, headers={**ask, "Origin": "https://b.example"}).status_code == 400
        assert httpx.get(served.url + "/v1/models", headers=ask).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "localhost@evil.example", "10.0.0.1"])
def test_a_name_that_was_turned_to_this_machine_is_refused(http: httpx.Client, host: str) -> None:
    assert problem(http.get("/v1/models", headers={"Host": host}))[0] == 421
    assert problem(http.post(CHAT, json=ASK, headers={"Host": host}))[0] == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:80", "[::1]:80", "127.1.2.3", "a.localhost"])
def test_the_machine_has_several_names(http: httpx.Client, host: str) -> None:
    assert http.get("/health", headers={"Host": host}).json()["status"] == "ok"


def test_unknown_addresses_and_methods(http: httpx.Client) -> None:
    assert problem(http.get("/"))[0] == 404
    assert problem(http.get("/v1/../../etc/passwd"))[0] == 404
    assert problem(http.get(CHAT))[0] == 405
    assert problem(http.get("/v1/models/x%0a%1b%5b31m"))[0] == 404
    assert http.head("/health").status_code == 200


def test_the_log_has_no_words_of_the_conversation(serve: Any) -> None:
    with serve() as served:
        httpx.post(served.url + CHAT, json=ASK)
        httpx.get(served.url + "/%1b%5b31m?question=水")
        httpx.post(served.url + CHAT, json={**ASK, "temperature": "水"})
    first, second, third = served.told
    assert first.startswith(f"POST {CHAT} 200 ")
    assert "+" in first
    assert second.startswith("GET /\\x1b[31m 404 ")
    assert third.startswith(f"POST {CHAT} 400 ")
    assert "水" not in "".join(served.told)


# -- clients that go ----------------------------------------------------------------------------------------


class Taps:
    """The real generation, a token at a time: each waits for ``let``."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.made = 0
        self.first, self.ended = threading.Event(), threading.Event()

    def stream(self, *args: Any, **options: Any) -> Iterator[Any]:
        try:
            for item in stream(*args, **options):
                self.made += 1
                yield item
                self.first.set()
                assert self.gate.acquire(timeout=60)
        finally:
            self.ended.set()


@pytest.fixture
def taps(monkeypatch: pytest.MonkeyPatch) -> Taps:
    found = Taps()
    monkeypatch.setattr(worker, "stream", found.stream)
    return found


@pytest.mark.parametrize("streaming", [True, False])
def test_who_hangs_up_stops_the_generation(serve: Any, taps: Taps, streaming: bool) -> None:
    with serve() as served:
        address = urlsplit(served.url)
        body = json.dumps({**ASK, "stream": streaming}).encode()
        with socket.create_connection((address.hostname, address.port), timeout=60) as raw:
            head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            raw.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            assert taps.first.wait(60)
        job = next(iter(served.worker._jobs))
        assert job._cancelled.wait(60)
        taps.gate.release()
        assert taps.ended.wait(60)
        assert taps.made <= 2  # the token that was under way
        taps.first.clear()
        for _ in range(100):
            taps.gate.release()
        assert httpx.post(served.url + CHAT, json=ASK, timeout=60).status_code == 200


def test_one_answer_after_the_other_and_not_too_many(serve: Any, taps: Taps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAX_WAITING", 2)
    replies: list[httpx.Response] = []
    with serve() as served:

        def ask() -> None:
            replies.append(httpx.post(served.url + CHAT, json=ASK, timeout=60))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        assert taps.first.wait(60)
        while served.worker.busy < 2:
            pass
        assert taps.made == 1  # the second waits for its turn
        refused = httpx.post(served.url + CHAT, json=ASK, timeout=60)
        assert problem(refused)[0] == 429
        assert refused.headers["retry-after"] == "1"
        for _ in range(200):
            taps.gate.release()
        for thread in threads:
            thread.join(60)
    assert [reply.status_code for reply in replies] == [200, 200]
    assert len({reply.json()["choices"][0]["message"]["content"] for reply in replies}) == 1


def test_a_server_that_stops_does_not_wait_for_answers(loaded: LoadedModel, serve: Any, taps: Taps) -> None:
    replies: list[httpx.Response] = []
    with serve() as served:
        ask = threading.Thread(target=lambda: replies.append(httpx.post(served.url + CHAT, json=ASK, timeout=60)))
        ask.start()
        assert taps.first.wait(60)
        served.worker.cancel_all()
        taps.gate.release()
    ask.join(60)
    assert problem(replies[0])[0] == 503
    assert taps.made <= 2


def test_a_model_that_fails(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **options: Any) -> Iterator[Any]:
        yield from stream(*args, **options).__next__() and ()
        raise RuntimeError("out of memory\nand more")

    monkeypatch.setattr(worker, "stream", broken)
    with serve() as served:
        status, message = problem(httpx.post(served.url + CHAT, json=ASK))
        assert (status, message) == (500, "the model failed: RuntimeError: out of memory")
        lines = httpx.post(served.url + CHAT, json={**ASK, "stream": True}).text.split("\n\n")
        assert json.loads(lines[-2].removeprefix("data: "))["error"]["message"] == message
        monkeypatch.undo()
        assert httpx.post(served.url + CHAT, json=ASK).status_code == 200
