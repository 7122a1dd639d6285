"""Promise 4, first half: every question gets exactly one answer, and no protocol can hang on a mind."""

from walras.allocation import Outcome
from walras.effects import Finish, Send, Withdraw
from walras.testing.errors import demand
from walras.testing.puppets import INF, After, Ask, Look, Mind, Note, Offer
from walras.testing.runtime import GRACE, Make, Stage, promise


@promise(4)
def one_answer_per_question(make: Make) -> None:
    """Every question that is not withdrawn gets exactly one answer."""
    stage = Stage(make)
    stage.agent("ada", Mind(a=Offer(1.0), b=Offer(2.0), c=Offer(3.0), d=Offer(4.0), e=Offer(5.0)))
    stage.seat("ada", {"start": tuple(Ask(name, 2 * stage.u, name) for name in "abcde")})
    stage.run(3)
    answers = sorted(line for line in stage.log("ada") if line.startswith("decided"))
    demand(
        answers == [f"decided {name} {k}" for k, name in enumerate("abcde", 1)],
        f"five questions were answered by {answers}",
    )


@promise(4)
def illegal_answer_is_otherwise(make: Make) -> None:
    """An answer that the question does not accept is replaced by `otherwise`."""
    stage = Stage(make)
    stage.agent("ada", Mind(q="nonsense", p=None))
    stage.seat("ada", {"start": (Ask("q", 2 * stage.u), Ask("p", 2 * stage.u, "p"))})
    stage.run(3)
    stage.expect("ada", "decided q pass", "decided p pass", about="decided")


@promise(4)
def raising_mind_is_otherwise(make: Make) -> None:
    """A mind that raises is answered by `otherwise`, and stops nobody."""
    stage = Stage(make)
    stage.agent("ada", Mind(q=RuntimeError("no idea")))
    stage.seat("ada", {"start": (Ask("q", 2 * stage.u),)})
    stage.seat("bob", {"start": (After("on", 1.5 * stage.u),)})
    stage.run(3)
    stage.expect("ada", "decided q pass", about="decided")
    stage.expect("bob", "start", "timer on")


@promise(4)
def silent_mind_is_otherwise(make: Make) -> None:
    """A mind that stays silent is answered by `otherwise`, at `decide_by` at the latest."""
    stage = Stage(make)
    stage.agent("ada", Mind(q=Offer(1.0)), thinks=INF)
    stage.seat("ada", {"start": (Ask("q", stage.u),)})
    stage.run(3)
    stage.expect("ada", "decided q pass", about="decided")
    when = stage.at("ada", "decided q pass")
    demand(
        when <= 1.0 + GRACE, f"the answer for a silent mind came at {when:g}, its question's deadline was 1"
    )


@promise(4)
def late_answer_is_never_delivered(make: Make) -> None:
    """A late answer is never delivered, and binds nothing."""
    stage = Stage(make)
    mind = Mind(q=Offer(4.0))
    stage.agent("ada", mind, thinks=1.0, money=10.0)
    plan = {
        "start": (Ask("q", 0.5 * stage.u), After("look", 2 * stage.u), After("ask", 2.5 * stage.u)),
        "timer ask": (Ask("other", 5 * stage.u, "p"),),
        "decided p": (Look(mind),),
    }
    stage.seat("ada", plan)
    stage.run(6)
    demand("decided q 4" not in stage.log("ada"), "an answer was delivered after its question's deadline")
    stage.expect("ada", "free 10", about="free")


@promise(4)
def same_name_again_voids_the_question(make: Make) -> None:
    """The same name again voids the earlier question, if it is still open."""
    stage = Stage(make)
    stage.agent("ada", Mind(), thinks=INF)
    plan = {
        "start": (Ask("old", stage.u), After("again", 0.5 * stage.u)),
        "timer again": (Ask("new", 2 * stage.u),),
    }
    stage.seat("ada", plan)
    stage.run(5)
    stage.expect("ada", "decided q pass", about="decided")
    demand(stage.at("ada", "decided q pass") > 1.0 + GRACE, "the question that was voided was answered")


@promise(4)
def withdrawn_question_gets_no_answer(make: Make) -> None:
    """A question that was withdrawn gets no answer."""
    stage = Stage(make)
    stage.agent("ada", Mind(), thinks=INF)
    plan = {"start": (Ask("q", stage.u), After("off", 0.5 * stage.u)), "timer off": (Withdraw("q"),)}
    stage.seat("ada", plan)
    stage.run(3)
    stage.expect("ada", "start", "timer off")


@promise(4)
def finish_withdraws_questions(make: Make) -> None:
    """`finish` withdraws the role's questions."""
    stage = Stage(make)
    stage.agent("ada", Mind(), thinks=INF)
    plan = {"start": (Ask("q", stage.u), Send("ada", Note("end"))), "heard end": (Finish(Outcome("done")),)}
    stage.seat("ada", plan)
    stage.run(3)
    stage.expect("ada", "start", "heard end")


@promise(4)
def attention_bounds_a_mind(make: Make) -> None:
    """`attention` bounds how many questions a mind ponders at once."""
    stage = Stage(make)
    stage.agent("ada", Mind(q=Offer(1.0)), thinks=1.0, attention=1)
    stage.seat("ada", {"start": tuple(Ask("q", 9 * stage.u, f"q{k}") for k in (1, 2, 3))})
    stage.run(10)
    for k in (1, 2, 3):
        when = stage.at("ada", f"decided q{k} 1")
        demand(when >= k, f"answer {k} came at {when:g}, though each takes 1 and one is pondered at a time")


@promise(4, "pause")
def question_can_be_called_off_in_a_pause(make: Make) -> None:
    """A question that an agent voids while it hears nothing is not answered."""
    stage = Stage(make)
    stage.agent("ada", Mind(q=Offer(1.0)), thinks=1.5)
    plan = {"start": (Ask("q", 9 * stage.u),), "heard stop": (Withdraw("q"),)}
    stage.seat("ada", plan)
    stage.seat("bob", {"start": (After("say", 1.2 * stage.u),), "timer say": (Send("ada", Note("stop")),)})
    stage.runtime.pause("ada", stage.u, 2 * stage.u)
    stage.run(10)
    stage.expect("ada", "start", "heard stop")
