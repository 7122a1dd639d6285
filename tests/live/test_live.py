"""The same markets live as in simulation; agents that come, go, block, crash and lie; many markets at once."""

import asyncio
import threading
import time
from operator import itemgetter
from typing import Any

import pytest
from msgspec import field, to_builtins
from msgspec.structs import replace

from contractnet import ContractNet, Propose, truthful
from tests.live.worlds import CONTRACT_NET, by_role, in_market, lived, order, simulated, tasks, workers
from walras.agents import Agent
from walras.allocation import Outcome, Report
from walras.errors import LocalProtocolError, ReplayError, ScenarioError
from walras.items import Lot, Task
from walras.live import Ask, Budgets, Guard, Live, Participant, Reply, Usage
from walras.live.settings import Rules
from walras.mechanism import Mechanism
from walras.protocol import Protocol
from walras.testing import LiveRuntime
from walras.testing.puppets import After, Ask as AskMind, Mind, Offer
from walras.testing.runtime import Stage
from walras.testing.virtual_time import run_virtually


def overbidding(question: Any, agent: Agent) -> Any:
    answer = truthful(question, agent)
    return Propose(answer.price * 3, answer.eta_s) if isinstance(answer, Propose) else answer


def raising(question: Any, agent: Agent) -> Any:
    raise RuntimeError("no idea")


def silly(question: Any, agent: Agent) -> Any:
    return "nonsense"


RULES = [CONTRACT_NET, ContractNet(hold_losers=True), ContractNet(reserve="eager", enough=2)]


@pytest.mark.parametrize("rules", RULES)
def test_one_task_leaves_the_same_trace_as_in_a_simulated_network_without_delay(rules: ContractNet) -> None:
    heard: list[list[tuple[str, Any]]] = [[], []]

    def listening(notes: list[tuple[str, Any]]) -> list[Agent]:
        def strategy(question: Any, agent: Agent) -> Any:
            notes.append((agent.id, question))
            return truthful(question, agent)

        return [replace(agent, strategy=strategy) for agent in workers()]

    there, here = (
        runtime(rules, listening(notes), tasks(1))
        for runtime, notes in zip((simulated, lived), heard, strict=True)
    )

    assert here.allocation == there.allocation and len(here.allocation) == 1
    assert here.outcomes == there.outcomes
    roles = by_role(there.trace)
    assert by_role(here.trace) == roles and len(roles) == 6
    in_simulation, live = (sorted(notes, key=itemgetter(0)) for notes in heard)
    assert live == in_simulation and len(live) == 5
    noted = [(row.agent, row.details["question"]) for row in here.trace if row.kind == "ask"]
    assert sorted(noted, key=itemgetter(0)) == [(agent, to_builtins(asked)) for agent, asked in live]
    assert here.records == there.records
    assert here.balances == there.balances
    assert here.agents == there.agents


@pytest.mark.parametrize("rules", RULES[:2])
def test_several_tasks_are_allocated_in_the_same_order_as_in_simulation(rules: ContractNet) -> None:
    """With a delay in simulation: without one its minds, which take no time, would see each other's awards."""
    there = simulated(rules, workers(), tasks(3), latency_s=0.01)
    here = lived(rules, workers(), tasks(3))

    assert here.allocation == there.allocation and len(here.allocation) == 3
    assert order(here.trace) == order(there.trace)


def test_minds_that_raise_or_talk_nonsense_lose_nobody_elses_time() -> None:
    agents = [*workers(3), Agent("x", raising, costs={"job": 0.0}), Agent("y", silly, costs={"job": 0.0})]
    result = lived(CONTRACT_NET, agents, tasks(1))

    assert result.allocation["t0"].winner == "w1"
    status = {row.agent: row.details["status"] for row in result.trace if row.kind == "answer"}
    assert (status["x"], status["y"], status["w1"]) == ("error", "illegal", "ok")
    assert any("no idea" in row.details["text"] for row in result.trace if row.kind == "note")


def test_at_one_instant_a_mind_that_needs_no_time_comes_before_timers() -> None:
    stage = Stage(LiveRuntime)
    stage.agent("ada", Mind(q=Offer(1.0)))
    stage.seat("ada", {"start": (After("t", 0.0), AskMind("q", 1.0))})
    stage.run(2)
    assert stage.log("ada") == ["start", "decided q 1", "timer t"]


def test_a_mind_that_stays_silent_is_waited_for_until_its_deadline_and_no_longer() -> None:
    async def silent(question: Any, agent: Agent) -> Any:
        await asyncio.sleep(1e6)

    result = lived(CONTRACT_NET, [*workers(2), Agent("x", silent, costs={"job": 0.0})], tasks(1))

    assert result.allocation["t0"].winner == "w1"
    assert result.allocation["t0"].price == 10.0
    awarded = next(row.at for row in result.trace if row.kind == "award")
    assert awarded == 1.75  # the mind's deadline: reply_within_s less margin_s


def test_a_function_that_blocks_delays_the_market_but_does_not_hang_it() -> None:
    def blocking(question: Any, agent: Agent) -> Any:
        time.sleep(0.3)
        return truthful(question, agent)

    async def main() -> Any:
        async with Live() as market:
            for agent in workers(2):
                market.add(agent)
            market.add(Agent("x", blocking, costs={"t0": 0.5}))
            rules = ContractNet(reply_within_s=0.2, margin_s=0.05, cancel_within_s=0.05)
            return await market.run(rules, [Task("t0", kind="job", reserve=40.0)], within_s=30.0)

    result = asyncio.run(main())
    assert result.outcomes["house/1"].status in ("done", "unassigned")
    status = {row.agent: row.details["status"] for row in result.trace if row.kind == "answer"}
    assert status["x"] == "silent"


def test_many_markets_at_once_keep_apart() -> None:
    async def main(market: Live) -> Any:
        for agent in workers(4, capacity=20):
            market.add(agent)
        runs = [market.run(CONTRACT_NET, [Task(f"t{k}", kind="job", reserve=40.0)]) for k in range(20)]
        return await asyncio.gather(*runs), market.trace

    results, trace = in_market(main)
    assert [list(result.allocation) for result in results] == [[f"t{k}"] for k in range(20)]
    assert all(result.metrics["completed"] == 1 for result in results)
    assert sum(len(result.trace) for result in results) == sum(row.conversation != "" for row in trace)
    assert {row.conversation for row in results[3].trace} == {"house/4"}
    earned = [sum(agent.earned for agent in result.agents) for result in results]
    assert earned == [result.allocation.lines[0].price for result in results]


# ------------------------------------------------------------------------------------------------------- work


def work(worker: Any, **settings: Any) -> Any:
    async def main(market: Live) -> Any:
        market.add(Agent("ada", costs={"job": 1.0}), worker)
        return await market.run(CONTRACT_NET, [Task("t", kind="job", reserve=9.0)], within_s=20.0)

    return in_market(main, **settings)


def test_a_worker_does_the_task_under_an_idempotency_key() -> None:
    seen = []

    async def worker(task: Task, key: str) -> str:
        seen.append((task.id, key))
        await asyncio.sleep(3.0)
        return "here it is"

    result = work(worker)
    assert seen == [("t", "house/1/ada#t")]
    assert result.outcomes["house/1"].results == (
        Report("done", quality=1.0, seconds=3.0, result="here it is"),
    )


def test_a_plain_function_works_in_a_thread() -> None:
    def worker(task: Task, key: str) -> Report:
        time.sleep(0.02)
        return Report("done", cost=0.5, quality=0.8)

    result = work(worker)
    assert (result.records[0].status, result.records[0].cost, result.records[0].quality) == ("done", 0.5, 0.8)


@pytest.mark.parametrize("fault", [ValueError, TimeoutError, SystemExit])
def test_a_worker_that_raises_has_failed(fault: type[BaseException]) -> None:
    async def worker(task: Task, key: str) -> str:
        raise fault("out of paper")

    result = work(worker, rules=Rules(lease_s=50.0))
    assert result.records[0].status != "done"
    reports = [row.details["report"] for row in result.trace if row.kind == "performed"]
    assert (reports[0]["status"], reports[0]["result"]) == ("failed", f"{fault.__name__}: out of paper")


def test_work_that_outlives_its_lease_is_reported_as_unknown() -> None:
    async def worker(task: Task, key: str) -> str:
        await asyncio.sleep(1e6)
        return "too late"

    result = work(worker, rules=Rules(lease_s=4.0))
    reports = [row.details["report"] for row in result.trace if row.kind == "performed"]
    assert (reports[0]["status"], reports[0]["seconds"]) == ("unknown", 4.0)


def test_functions_that_never_return_hold_up_neither_the_work_of_others_nor_the_end() -> None:
    """However many: their leases run out, and their threads take nobody's place."""
    let_go = threading.Event()

    def worker(task: Task, key: str) -> str:
        if task.id != "t":
            let_go.wait(600.0)
        return "done"

    async def main() -> list[str]:
        async with Live(rules=Rules(lease_s=0.3)) as market:
            market.add(Agent("ada", costs={"job": 1.0}, capacity=99), worker)
            stuck = [
                Task(f"stuck-{k}", kind="job") for k in range(70)
            ]  # a pool of threads has 64 at most, often fewer
            rules = ContractNet(reply_within_s=5.0, announcements=1)
            await market.run(rules, stuck, within_s=60.0)
            return [row.status for row in (await market.run(rules, [Task("t", kind="job")])).records]

    try:
        assert asyncio.run(main()) == ["done"], "and it has come to its end"
    finally:
        let_go.set()


class Foreman(Protocol):
    """Has two things done, one after the other, and thinks better of the second."""

    reports: list[str] = field(default_factory=list)

    def on_start(self) -> None:
        self.perform("first", Task("t0"))
        self.perform("second", Task("t1"))
        self.set_timer("enough", self.now + 1.0)

    def on_timer(self, name: Any) -> None:
        self.stop("second")

    def on_performed(self, key: str, report: Report) -> None:
        self.reports.append(f"{key} {report.status}")


def test_queued_work_that_is_stopped_never_begins() -> None:
    async def worker(task: Task, key: str) -> str:
        begun.append(task.id)
        await asyncio.sleep(5.0)
        return "done"

    async def main(market: Live) -> list[str]:
        market.add(Agent("ada"), worker)
        market.seat("ada", role := Foreman())
        await asyncio.sleep(20.0)
        return role.reports

    begun: list[str] = []
    assert in_market(main) == ["second stopped", "first done"]
    assert begun == ["t0"]


def test_a_strategy_may_bring_its_own_worker() -> None:
    class Carpenter:
        def __call__(self, question: Any, agent: Agent) -> Any:
            return truthful(question, agent)

        async def work(self, task: Task, key: str) -> str:
            return "a table"

    async def main(market: Live) -> Any:
        market.add(Agent("ada", Carpenter(), costs={"job": 1.0}))
        return await market.run(CONTRACT_NET, [Task("t", kind="job")], within_s=20.0)

    assert in_market(main).outcomes["house/1"].results[0].result == "a table"


# ---------------------------------------------------------------------------------------------- coming and going


def test_who_drains_finishes_what_it_has_won_and_takes_part_in_nothing_new() -> None:
    async def main(market: Live) -> Any:
        for agent in workers(2):
            market.add(agent)
        first = asyncio.create_task(market.run(CONTRACT_NET, [Task("t", kind="job", reserve=40.0)]))
        await asyncio.sleep(1.0)
        began = market.now
        await market.drain("w1")
        assert 1.0 < market.now - began < 10.0
        second = await market.run(CONTRACT_NET, [Task("u", kind="job", reserve=40.0)])
        market.add(workers(2)[1])
        third = await market.run(CONTRACT_NET, [Task("v", kind="job", reserve=40.0)])
        return await first, second, third

    first, second, third = in_market(main)
    assert (first.allocation["t"].winner, first.records[0].status) == ("w1", "done")
    assert second.allocation["u"].winner == "w0"
    assert third.allocation["v"].winner == "w1"


def test_who_leaves_is_silent_and_its_account_stays() -> None:
    async def main(market: Live) -> Any:
        for agent in workers(2):
            market.add(agent)
        running = asyncio.create_task(
            market.run(CONTRACT_NET, [Task("t", kind="job", reserve=40.0)], within_s=30.0)
        )
        await asyncio.sleep(1.0)
        market.leave("w1")
        return await running

    result = in_market(main)
    assert result.records[0].status != "done"
    assert result.balances["w1"] == float("inf")


# ------------------------------------------------------------------------------------------------------ bad input


class Fragile(Protocol):
    def on_start(self) -> None:
        raise LocalProtocolError("a bug")


class FragileRules(Mechanism, frozen=True):
    protocol = "x-fragile"

    def opener(self, me: Any, items: Any, participants: Any) -> Protocol:
        return Fragile()


def test_a_bug_in_a_role_ends_its_conversation_and_no_other() -> None:
    async def main(market: Live) -> Any:
        market.add(workers(1)[0])
        good = asyncio.create_task(market.run(CONTRACT_NET, tasks(1)))
        with pytest.raises(LocalProtocolError, match="a bug"):
            await market.run(FragileRules(), tasks(1))
        return await good, market.so_far("house/1").outcomes

    good, outcomes = in_market(main)
    assert good.records[0].status == "done"
    assert outcomes == {"house/1": Outcome("broken", why="LocalProtocolError: a bug")}


def test_bad_input_is_refused_before_anything_happens() -> None:
    async def main(market: Live) -> None:
        market.add(Agent("ada"))
        with pytest.raises(ScenarioError, match="agent id is 'ada'"):
            market.add(Agent("ada"))
        with pytest.raises(ScenarioError, match="mechanism is"):
            await market.run("auction", [Lot("x")])  # type: ignore[arg-type]
        with pytest.raises(ScenarioError, match="within_s is 0"):
            await market.run(CONTRACT_NET, tasks(1), within_s=0.0)
        with pytest.raises(ScenarioError, match="participants is 'bob'"):
            await market.run(CONTRACT_NET, tasks(1), participants=["bob"])
        with pytest.raises(ScenarioError, match="items is"):
            await market.run(CONTRACT_NET, [Lot("x")])
        with pytest.raises(ScenarioError, match="conversation is 'house/9'"):
            await market.result("house/9")
        assert not market.runtime.runs

    in_market(main)


class Closed(FragileRules, frozen=True):
    """Its opener invites, and nobody can join."""

    def opener(self, me: Any, items: Any, participants: Any) -> Protocol:
        return ContractNet(announcements=1).opener(me, items, participants)

    def join(self, me: Any, invitation: Any) -> Protocol:
        raise KeyError("a bug")


def test_a_bug_in_a_mechanism_turns_newcomers_away() -> None:
    async def main(market: Live) -> Any:
        market.add(workers(1)[0])
        return await market.run(Closed(), tasks(1))

    result = in_market(main)
    assert result.records[0].status == "unassigned"
    assert any(row.details.get("why") == "turned away" for row in result.trace if row.kind == "ignored")


def test_a_replay_without_an_answer_stops_the_market_loudly() -> None:
    def missing(question: Any, agent: Agent) -> Any:
        raise ReplayError("no recorded answer")

    async def main(market: Live) -> Any:
        market.add(Agent("ada", missing, costs={"job": 1.0}))
        with pytest.raises(ReplayError, match="no recorded answer"):
            await market.run(CONTRACT_NET, tasks(1))
        return True

    assert in_market(main)


def test_what_a_mind_takes_is_in_the_trace() -> None:
    class Priced(Participant):
        async def answer(self, ask: Ask) -> Any:
            await asyncio.sleep(0.5)
            return Reply(Propose(3.0), Usage(1, 900, 40, 0.002))

    async def main(market: Live) -> Any:
        market.add(Agent("ada", Priced(), costs={"job": 1.0}))
        return await market.run(CONTRACT_NET, tasks(1))

    result = in_market(main, budget_usd=1.0)
    assert result.allocation["t0"].price == 3.0
    thoughts = [row.details for row in result.trace if row.kind == "thought"]
    assert [(t["usage"]["cost_usd"], t["latency_s"], t["attempts"]) for t in thoughts] == [(0.002, 0.5, 1)]


def test_a_provider_that_is_always_too_slow_is_left_alone() -> None:
    class Slow(Participant):
        provider = "slow.example"

        async def answer(self, ask: Ask) -> Any:
            await asyncio.sleep(1e6)

    async def main(market: Live) -> Any:
        for agent in workers(2):
            market.add(agent)
        market.add(Agent("x", Slow(), costs={"job": 0.0}))
        items = [Task(f"t{k}", kind="job", reserve=40.0) for k in range(5)]
        return [await market.run(CONTRACT_NET, [item]) for item in items], market.guard

    results, guard = in_market(main)
    assert [result.records[0].status for result in results] == ["done"] * 5
    found = [
        row.details["status"] for r in results for row in r.trace if row.kind == "answer" and row.agent == "x"
    ]
    assert found == ["silent", "silent", "silent", "circuit_open", "circuit_open"]
    assert guard.budgets.of_agent("x").calls == 3


def test_whoever_waits_for_a_market_that_closes_is_told() -> None:
    async def main() -> None:
        async with Live() as market:
            for agent in workers(2):
                market.add(agent)
            running = asyncio.create_task(market.run(CONTRACT_NET, tasks(1)))
            await asyncio.sleep(0.1)
        with pytest.raises(ScenarioError, match="market is 'closed'"):
            await running
        with pytest.raises(ScenarioError, match="market is 'closed'"):
            market.add(Agent("late"))

    run_virtually(main())


def test_a_mind_whose_answer_nobody_wants_any_more_is_called_off() -> None:
    async def pondering(question: Any, agent: Agent) -> Any:
        try:
            await asyncio.sleep(1e6)
        finally:
            called_off.append(asyncio.get_running_loop().time())

    called_off: list[float] = []

    async def main(market: Live) -> list[float]:
        market.add(Agent("ada", pondering, costs={"job": 1.0}))
        conversation = market.open(ContractNet(reply_within_s=50.0), tasks(1), 60.0)
        await asyncio.sleep(5.0)
        market.cancel(conversation)
        await asyncio.sleep(1.0)
        return list(called_off)

    assert in_market(main) == [5.0]


def test_who_comes_back_is_asked_what_is_still_open() -> None:
    async def slow(question: Any, agent: Agent) -> Any:
        await asyncio.sleep(1.0)
        return truthful(question, agent)

    async def main(market: Live) -> Any:
        agent = Agent("ada", slow, costs={"job": 1.0})
        market.add(agent)
        running = asyncio.create_task(market.run(CONTRACT_NET, tasks(1)))
        await asyncio.sleep(0.5)
        market.leave("ada")
        await asyncio.sleep(0.1)
        market.add(agent)
        return await running

    result = in_market(main)
    assert (result.records[0].winner, result.records[0].rounds) == ("ada", 1)


def test_an_agent_lives_here_or_elsewhere() -> None:
    async def main(market: Live) -> None:
        market.add_absentee("ada")
        with pytest.raises(ScenarioError, match=r"agent id is 'ada'; expected an id that no other agent"):
            market.add(Agent("ada"))

    in_market(main)


def test_a_budget_beside_a_guard_would_limit_nothing_and_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"budget_usd is 2\.0; expected none beside a guard"):
        Live(budget_usd=2.0, guard=Guard())


def test_what_is_no_guard_or_no_part_of_one_is_refused_before_anybody_is_asked() -> None:
    wrong: Any = Budgets()
    with pytest.raises(ScenarioError, match=r"guard is <.*>; expected a Guard, such as"):
        Live(guard=wrong)
    path: Any = "answers.jsonl"
    for name, kind in (
        ("recording", "Recording"),
        ("budgets", "Budgets"),
        ("memory", "Memory"),
        ("cache", "AnswerCache"),
    ):
        with pytest.raises(ScenarioError, match=f"{name} is 'answers.jsonl'; expected a {kind}, or None"):
            Guard(**{name: path})


def test_a_market_has_to_be_open() -> None:
    with pytest.raises(ScenarioError, match="async with Live"):
        Live().add(Agent("ada"))


def test_virtual_time_says_that_somebody_waits_for_nothing() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing is left to happen"):
        run_virtually(main())
