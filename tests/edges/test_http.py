"""The HTTP and WebSocket edge, over real sockets of this machine."""

import asyncio
import json
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from auctions import FirstPrice, SealedBid, second_price
from tests.edges.houses import BRISK, SECRET, call, expired, house, served
from walras.adapters.edge import Listening
from walras.adapters.http import http_app
from walras.errors import ScenarioError
from walras.items import Lot
from walras.live.extras import MissingExtraError
from walras.live.feed import DeskRules
from walras.live.passes import Passes

pytest.importorskip("uvicorn", reason="the extra http is not installed")
pytest.importorskip("starlette", reason="the extra http is not installed")

CLIENTS = Path(__file__).parents[2] / "docs" / "clients"


def bid(price: float, item: str = "vase") -> dict[str, Any]:
    return {"type": "Bid", "item": item, "price": price}


async def asked(url: str, token: str) -> Any:
    """The first question, waited for as a client does."""
    cursor = ""
    while True:
        news = await call(f"{url}/v1/events?wait_s=5&cursor={cursor}", token)
        cursor = news["cursor"]
        if waiting := (await call(f"{url}/v1/questions", token))["questions"]:
            return waiting[0]


def test_agents_bid_over_http_and_the_rule_decides() -> None:
    async def market() -> Any:
        async with house("ada", "bob") as desk, served(desk, http_app) as url:
            going = asyncio.ensure_future(
                desk.market.run(SealedBid(second_price, reply_within_s=20), [Lot("vase")], 30)
            )
            for agent, price in (("ada", 12), ("bob", 9)):
                token = desk.token(agent)
                question = await asked(url, token)
                said = await call(
                    f"{url}/v1/answers", token, {"question": question["id"], "answer": bid(price)}
                )
                assert (said.status, said["legal"]) == (200, True)
            award = (await going).allocation["vase"]
            seen = await call(f"{url}/v1/conversation?id=house/1", desk.token("ada"))
            assert seen["status"] == "done" and seen["won"] == [{"item": "vase", "price": 9, "quantity": 1}]
            assert (await call(f"{url}/v1/conversation?id=house/1", desk.token("bob")))["won"] == []
            return award

    award = asyncio.run(market())
    assert (award.winner, award.price) == ("ada", 9)


def test_an_illegal_answer_is_422_with_the_reason_and_the_next_one_counts() -> None:
    async def market() -> Any:
        async with house("ada") as desk, served(desk, http_app) as url:
            going = asyncio.ensure_future(desk.market.run(FirstPrice(reply_within_s=20), [Lot("vase")], 30))
            token = desk.token("ada")
            question = await asked(url, token)
            wrong = {"question": question["id"], "answer": {"type": "Bid", "item": "vase", "price": "all"}}
            said = await call(f"{url}/v1/answers", token, wrong)
            assert said.status == 422 and "Expected `float`" in said["why"]
            again = await asked(url, token)
            assert "Expected `float`" in again["note"]
            await call(f"{url}/v1/answers", token, {"question": again["id"], "answer": bid(4)})
            return (await going).allocation["vase"]

    assert asyncio.run(market()).price == 4


BAD_REQUESTS = [
    (None, "/v1/questions", None, 401, "no credential"),
    ("wrong", "/v1/questions", None, 401, "wrong credential"),
    (expired("ada"), "/v1/questions", None, 401, "expired"),
    (Passes(SECRET, "elsewhere").issue("ada"), "/v1/questions", None, 403, "another market"),
    (Passes(SECRET, "spot").issue("ada", may=("look",)), "/v1/join", {"conversation": "x"}, 403, "not allowed"),
    ("good", "/v1/nowhere", None, 404, "unknown"),
    ("good", "/v1/answers", None, 405, "unknown"),
    ("good", "/v1/answers", b"{", 400, "malformed"),
    ("good", "/v1/answers", b"[" * 5000, 400, "malformed"),
    ("good", "/v1/answers", b"\xff\xfe", 400, "malformed"),
    ("good", "/v1/answers", {"question": "x"}, 400, "malformed"),
    ("good", "/v1/answers", {"question": "x", "answer": 1, "bidder": "bob"}, 400, "malformed"),
    ("good", "/v1/answers", {"question": "x", "answer": 1}, 404, "unknown"),
    ("good", "/v1/answers", {"question": "x", "answer": "a" * 70_000}, 413, "too large"),
    ("good", "/v1/join", {"conversation": "x"}, 404, "unknown"),
    ("good", "/v1/conversation?id=house/9", None, 404, "unknown"),
    ("good", "/v1/conversation", None, 400, "malformed"),
    ("good", "/v1/events?cursor=nonsense", None, 400, "malformed"),
    ("good", "/v1/events?wait_s=soon", None, 400, "malformed"),
    ("good", "/v1/events?wait_s=1e9", None, 400, "malformed"),
]  # fmt: skip


def test_bad_requests_get_a_status_and_a_reason() -> None:
    async def market() -> None:
        async with house("ada") as desk, served(desk, http_app) as url:
            for token, path, body, status, error in BAD_REQUESTS:
                shown = desk.token("ada", may=("look", "answer", "join")) if token == "good" else token
                said = await call(url + path, shown, body)
                assert (said.status, said["error"]) == (status, error), (token, path, body)
                assert said["why"].startswith("wait_s:" if "wait_s" in path else "")
                assert said["why"] and said.headers["content-type"] == "application/json"
                assert (status == 401) == ("www-authenticate" in {name.lower() for name in said.headers})
            assert (await call(f"{url}/health"))["status"] == "open"

    asyncio.run(market())


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    async def market() -> None:
        async with house("ada", rules=DeskRules(per_s=0.01, burst=1)) as desk, served(desk, http_app) as url:
            token = desk.token("ada")
            assert (await call(f"{url}/v1/questions", token)).status == 200
            said = await call(f"{url}/v1/questions", token)
            assert said.status == 429 and int(said.headers["retry-after"]) > 1

    asyncio.run(market())


@pytest.mark.parametrize(
    ("listen", "settings"),
    [
        ("http://0.0.0.0:0", {}),
        ("http://192.0.2.1:80", {}),
        ("ftp://127.0.0.1", {}),
        ("127.0.0.1:80", {}),
        ("http://[::1", {}),
        ("https://127.0.0.1:0", {}),
        ("http://127.0.0.1:0", {"certificate": ("cert.pem", "key.pem")}),
        ("https://127.0.0.1:0", {"certificate": ("no such cert.pem", "no such key.pem")}),
        ("https://127.0.0.1:0", {"certificate": (__file__, __file__)}),
        ("https://127.0.0.1:0", {"certificate": "cert.pem"}),
        (8080, {}),
    ],
)
def test_an_edge_stays_on_this_machine_unless_it_speaks_tls(listen: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError):
        Listening(http_app, listen, **settings)  # type: ignore[arg-type]  # never called


def test_an_address_in_use_is_refused() -> None:
    async def market() -> None:
        async with house() as desk, served(desk, http_app) as url:
            with pytest.raises(ScenarioError, match="free"):
                async with Listening(http_app(desk), url):
                    pass

    asyncio.run(market())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
def test_an_edge_speaks_tls(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    alt = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{key}", "-out", f"{cert}"]
    subprocess.run([*make.split(), *alt], check=True, capture_output=True)

    async def market() -> bytes:
        async with (
            house() as desk,
            Listening(http_app(desk), "https://127.0.0.1:0", certificate=(cert, key)) as at,
        ):
            trust = ssl.create_default_context(cafile=str(cert))
            return await asyncio.to_thread(lambda: bytes(urlopen(f"{at.url}/health", context=trust).read()))

    assert json.loads(asyncio.run(market()))["status"] == "open"


def command(client: str) -> list[str]:
    """How to run a client here. Node has WebSockets since 22, and from 20.10 on if it is asked for them."""
    if client.endswith(".py"):
        return [sys.executable, str(CLIENTS / client)]
    node = shutil.which("node") or pytest.skip("node is not installed")
    for flags in ([], ["--experimental-websocket", "--no-warnings"]):
        found = subprocess.run(
            [node, *flags, "-p", "typeof WebSocket"], capture_output=True, text=True, check=False
        )
        if client == "bidder.mjs" or found.stdout.strip() == "function":
            return [node, *flags, str(CLIENTS / client)]
    pytest.skip("this node has no WebSocket")


@pytest.mark.parametrize("client", sorted(path.name for path in CLIENTS.glob("*.*")))
def test_the_clients_of_the_documentation_win_an_auction(client: str) -> None:
    program = command(client)

    async def market() -> Any:
        async with house("ada", "bob", rules=BRISK) as desk, served(desk, http_app) as url:
            programs = [
                await asyncio.create_subprocess_exec(
                    *program, url, desk.token(agent), price,
                    stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                )
                for agent, price in (("ada", "12.5"), ("bob", "9"))
            ]  # fmt: skip
            result = await desk.market.run(SealedBid(second_price, reply_within_s=20), [Lot("vase")], 30)
            said = [await program.communicate() for program in programs]
            return result.allocation["vase"], said

    award, ((ada, trouble), (bob, _)) = asyncio.run(market())
    assert (award.winner, award.price) == ("ada", 9), trouble
    assert ada.decode().lower().split() == ["bid", "true", "won", "vase", "at", *ada.decode().split()[-1:]]
    assert float(ada.split()[-1]) == 9 and bob.decode().lower().split() == ["bid", "true"]


@pytest.mark.parametrize("client", sorted(path.name for path in CLIENTS.iterdir()))
def test_a_client_fits_on_a_screen(client: str) -> None:
    code = [line for line in (CLIENTS / client).read_text().splitlines() if line.strip()]
    assert len(code) <= 32


def test_without_the_extra_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async def market() -> None:
        async with house() as desk:
            monkeypatch.setitem(sys.modules, "starlette.applications", None)
            with pytest.raises(MissingExtraError, match=r'pip install "walras\[http\]"'):
                http_app(desk)
            monkeypatch.setitem(sys.modules, "uvicorn", None)
            with pytest.raises(MissingExtraError, match=r'pip install "walras\[http\]"'):
                Listening(lambda *_: None)  # type: ignore[arg-type]

    asyncio.run(market())
