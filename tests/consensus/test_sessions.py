"""Sessions: what is sent again takes effect once, and what has expired is refused at every replica alike."""

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from consensus.raft.cluster import Cluster
from consensus.raft.kv import Append, Get, KeyValueStore, Put
from consensus.raft.machine import Result
from consensus.raft.service import Query, Redirect, Reply, Submit
from consensus.raft.sessions import Client, InSession, OpenSession, SessionExpired, Sessions
from tests.consensus.worlds import QUICK, THREE, busy, clients_of, judged
from walras.effects import Effect, Send
from walras.errors import ScenarioError
from walras.randomness import stream
from walras.simulation.faults import Crash, Faults
from walras.simulation.network import Network
from walras.testing import Script


def appended(session: int, sequence: int, text: str = ".", at: float = 0.0) -> InSession:
    return InSession(session=session, sequence=sequence, command=Append("x", text), at=at)


# ------------------------------------------------------------------ the machine


def test_a_command_that_comes_again_is_answered_and_not_carried_out() -> None:
    sessions = Sessions(KeyValueStore())
    assert sessions.apply(2, OpenSession()) == 2
    one = InSession(session=2, sequence=1, command=Append("x", "a"))
    read = InSession(session=2, sequence=2, command=Get("x"))

    assert [sessions.apply(3, one), sessions.apply(4, one)] == [None, None]
    assert sessions.apply(5, read) == "a"
    assert sessions.apply(6, appended(9, 1)) == SessionExpired(9)
    sessions.apply(7, Put("x", "plain"))
    assert sessions.apply(8, read) == "a", "the answer of then, not of now"
    assert sessions.query(Get("x")) == "plain"


def test_sessions_end_by_the_logs_clock_which_never_goes_back() -> None:
    sessions = Sessions(KeyValueStore(), expire_after_s=10.0)
    sessions.apply(1, OpenSession(at=0.0))
    sessions.apply(2, OpenSession(at=4.0))
    sessions.apply(3, appended(1, 1, at=9.0))
    sessions.apply(4, appended(1, 2, at=2.0))  # a leader whose clock is behind
    assert (list(sessions.open), sessions.clock) == ([2, 1], 9.0)
    assert sessions.apply(5, appended(1, 3, at=14.5)) is None
    assert sessions.apply(6, appended(2, 1, at=14.6)) == SessionExpired(2)
    assert sessions.query(Get("x")) == "..."


def test_one_session_too_many_ends_the_longest_unused() -> None:
    sessions = Sessions(KeyValueStore(), limit=2)
    for index in (1, 2):
        sessions.apply(index, OpenSession())
    sessions.apply(3, appended(1, 1))
    sessions.apply(4, OpenSession())
    assert list(sessions.open) == [1, 4]


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5), st.floats(0, 30)), max_size=40),
    st.integers(0, 40),
)
def test_replicas_agree_whether_they_began_from_a_snapshot_or_not(
    commands: list[tuple[int, int, float]], cut: int
) -> None:
    def machine() -> Sessions:
        return Sessions(KeyValueStore(), expire_after_s=8.0, limit=3)

    whole, first, second = machine(), machine(), machine()
    log = [
        OpenSession(at=at) if sequence == 1 else appended(session, sequence, f"{place} ", at)
        for place, (session, sequence, at) in enumerate(commands)
    ]
    results = [whole.apply(index, command) for index, command in enumerate(log, 1)]
    for index, command in enumerate(log[:cut], 1):
        first.apply(index, command)
    second.restore(first.snapshot())
    rest = [second.apply(index, command) for index, command in enumerate(log[cut:], cut + 1)]

    assert rest == results[cut:]
    assert second.snapshot() == whole.snapshot()
    assert list(second.open) == list(whole.open)


@pytest.mark.parametrize("settings", [{"expire_after_s": 0.0}, {"limit": 0}])
def test_sessions_that_could_not_last_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ScenarioError, match="more than 0"):
        Sessions(KeyValueStore(), **settings)  # type: ignore[arg-type]


# ------------------------------------------------------------------ the client


def sent(effects: list[Effect]) -> list[tuple[str, object]]:
    return [(effect.to, effect.message) for effect in effects if isinstance(effect, Send)]


def test_a_client_opens_a_session_follows_redirects_and_repeats_itself() -> None:
    script = Script(Client(("r1", "r2", "r3"), (Append("x", "a"), Get("x")), reads_from="r3"))
    command = Submit(1, InSession(session=5, sequence=1, command=Append("x", "a")))
    script.start()

    assert sent(script.timer("next")) == [("r1", Submit(0, OpenSession()))]
    assert sent(script.hear("r1", Redirect(0, "r3"))) == [("r3", Submit(0, OpenSession()))]
    assert sent(script.hear("r3", Reply(0, 5))) == [("r3", command)]
    assert sent(script.timer("again")) == [("r1", command)]  # no answer: the next one, the same command
    assert sent(script.hear("r1", Reply(0, 6))) == []  # a second session, for what was sent twice
    assert sent(script.hear("r1", Reply(1))) == []
    assert sent(script.timer("next")) == [("r3", Query(2, Get("x")))]
    assert sent(script.hear("r3", Reply(1))) == []
    assert sent(script.hear("r3", Reply(2, "a"))) == []
    assert script.finished is not None
    assert [call.result for call in script.role.calls] == [None, "a"]


def test_two_replicas_that_point_at_each_other_do_not_keep_a_client_busy() -> None:
    script = Script(Client(("r1", "r2"), (Append("x", "a"),)))
    script.start()
    script.timer("next")
    followed = [bool(sent(script.hear("r1", Redirect(0, to)))) for to in ("r2", "r1", "r2", "r1")]
    assert followed == [True, True, False, False]


@pytest.mark.parametrize(
    "settings", [{"replicas": ()}, {"replicas": "r1"}, {"pause_s": 0.0}, {"retry_s": -1.0}]
)
def test_bad_clients_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ScenarioError):
        Client(**{"replicas": ("r1",), **settings})  # type: ignore[arg-type]


# ------------------------------------------------------------------ together


@pytest.mark.parametrize("seed", range(6))
def test_every_append_takes_effect_exactly_once_over_crashes_and_losses(seed: int) -> None:
    """Clients that crash, too; half of all messages doubled and a fifth lost."""
    cluster = Cluster(THREE, settings=QUICK, compact_every=15)
    rng = stream(seed, "crashes")
    crashes = tuple(Crash(rng.choice((*THREE, "c0", "c1")), rng.uniform(1.0, 12.0), 0.4) for _ in range(8))
    network = Network(loss=0.2, duplication=0.5, heal_s=15.0)
    simulation, names = busy(cluster, seed, clients=2, network=network, faults=Faults(crashes))
    simulation.run(until=40.0)
    clients = clients_of(cluster, simulation, names)
    store = next(iter(cluster.replicas(simulation).values())).machine
    assert isinstance(store, Sessions) and isinstance(store.machine, KeyValueStore)
    made = [
        str(call.operation.value) for c in clients for call in c.calls if isinstance(call.operation, Append)
    ]
    texts = store.machine.values

    assert judged(clients).linearizable
    assert all(call.ended is not None for client in clients for call in client.calls)
    assert all(sum(text.split().count(one.strip()) for text in texts.values()) <= 1 for one in made)


def test_without_sessions_doubles_take_effect_twice() -> None:
    """Counter-check: the history's checker and the world can tell."""

    class Forgetful(Sessions):
        def _once(self, index: int, command: InSession) -> Result:
            return self.machine.apply(index, command.command)

    cluster = Cluster(THREE, lambda: Forgetful(KeyValueStore()), settings=QUICK)
    network = Network(loss=0.2, duplication=0.5, heal_s=15.0)
    verdicts = []
    for seed in range(4):
        simulation, names = busy(replace(cluster), seed, clients=2, network=network)
        simulation.run(until=40.0)
        verdicts.append(judged(clients_of(cluster, simulation, names)).linearizable)
    assert not all(verdicts)


def test_a_client_whose_session_has_ended_goes_on_in_a_new_one() -> None:
    cluster = Cluster(THREE, lambda: Sessions(KeyValueStore(), limit=1), settings=QUICK)
    simulation, names = busy(cluster, 2, clients=2, count=10)
    simulation.run(until=30.0)
    clients = clients_of(cluster, simulation, names)

    assert all(len(client.calls) == 10 and client.calls[-1].ended for client in clients)
    assert any(isinstance(call.result, SessionExpired) for client in clients for call in client.calls)
    assert judged(clients).linearizable
