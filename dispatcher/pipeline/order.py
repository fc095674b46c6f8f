"""The flow of a warning, in the order it happens: read this first.

    poll        upstream feeds are read when they are due; each alert they list is fetched, and handed to accept
    accept      bytes from a door → judged → kept once: rejected, held, or approved with its audience and plan frozen
    freeze      who is told what, hashed; released at once where the source is trusted
    draft       an officer's own words, or what is held, become a draft: the first of two persons
    edit        other words for it; whatever was put forward or signed is void
    discard     what waits for a person and is not wanted goes no further
    submit      it is put forward: judged again, audience and plan frozen, and hashed
    approve     a second person signs that hash, and it is released as accept releases
    send_back   or it goes back to whoever wrote it, with the reason
    telephone   or a leader says yes by telephone, a second officer puts it down, and the paper follows
    lapse       or every signer of a red was paged in vain, and its author and another officer on duty release it
    page        whoever has to know at once reads it on his phone: signers, leaders, officers whose warning was refused
    reissue     what the sender refused because it was changed behind the signature is drafted anew, and signed anew
    (sending)   chunks → slices → providers → results, by `dispatcher/sending/`
    settle      receipts move deliveries forward; what is finished is called finished
    hear        what people write back (上行短信) is kept as it came; nobody says yet what it means
    follow      providers that can be asked are asked what became of what they took
    call_off    the prepared Cancel of what was issued by mistake, or is over; `accept` takes it like any other
    correct     the same by a person at the console: a mistake is taken back by one, an end needs two
    withdraw    cancelled, superseded or expired: one statement, nothing more leaves the house
    shift       whoever goes off duty hands over, whoever comes on takes it, with what is open at that moment
    attach      the scan of a paper signed in ink is kept with its warning
    watch       what breaks and is mended is put on record, for whoever was not looking
    anchor      once an hour the head of the log goes out of the house, signed
    retain      once an hour what was kept long enough goes: replies, traces, refused bytes, and who asked to be forgotten
    erase       a resident who asks is forgotten; while a warning has him on its list, when that has ended
    lint        what its words leave to be wished for; holds nothing, writes nothing
    count       how many an area comes to, and whom it will not reach, while somebody draws it; writes nothing
    preview     who would be told, and who would not; writes nothing
    explain     told or not, by which rule, which attempts, which text

`FLOW` is the same in data: documentation and the house test are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One verb: which step modules it brings together, and what it leaves behind."""

    verb: str
    steps: tuple[str, ...]
    leaves: str


FLOW = (
    Step(verb="poll", steps=("polling", "intake"), leaves="上游目录的每一条：读到、交付、记下结果"),
    Step(verb="accept", steps=("intake", "approval"), leaves="一条预警：拒收、待核或已批准"),
    Step(verb="freeze", steps=("audience", "planning"), leaves="冻结的名单和方案"),
    Step(verb="draft", steps=("intake",), leaves="一份草稿，没有名单"),
    Step(verb="edit", steps=("intake",), leaves="一份草稿，先前的送签和签名作废"),
    Step(verb="discard", steps=(), leaves="作废的草稿或待核，和理由"),
    Step(verb="submit", steps=("intake", "audience", "planning"), leaves="待签的名单和方案，及其散列"),
    Step(verb="approve", steps=("approval", "sending"), leaves="第二个人的签名；放行的方案"),
    Step(verb="send_back", steps=(), leaves="退回的草稿和理由"),
    Step(verb="telephone", steps=("approval",), leaves="通话记录；放行的方案；要补的签批单"),
    Step(verb="lapse", steps=("approval",), leaves="逾时放行的方案；要领导复核"),
    Step(verb="page", steps=("approval",), leaves="每人每事一条通知，发出为止"),
    Step(verb="reissue", steps=("intake",), leaves="一份更新草稿，内容是当初签发的"),
    Step(verb="settle", steps=("receipts",), leaves="每一行的状态，只进不退"),
    Step(verb="hear", steps=(), leaves="上行短信的原文，各一份"),
    Step(verb="follow", steps=("receipts",), leaves="问来的回执"),
    Step(verb="call_off", steps=("intake",), leaves="什么也不留下"),
    Step(verb="correct", steps=("intake",), leaves="撤回：放行的方案；解除：待签的方案"),
    Step(verb="withdraw", steps=("sending",), leaves="撤回或过期的行"),
    Step(verb="shift", steps=(), leaves="交接班：两个人的名字，和当时未了的事"),
    Step(verb="attach", steps=(), leaves="签批单的扫描件，加密，附散列"),
    Step(verb="watch", steps=(), leaves="故障和恢复，各一条记录"),
    Step(verb="anchor", steps=(), leaves="签了名的锚点：文件里一行，对外事件一条"),
    Step(verb="retain", steps=(), leaves="到期的个人信息删去，操作日志记下条数"),
    Step(verb="erase", steps=(), leaves="名册和留存里没有这个人，操作日志里一个编号"),
    Step(verb="lint", steps=("intake", "planning"), leaves="什么也不留下"),
    Step(verb="count", steps=("intake", "audience"), leaves="人数、喇叭数和通知不全的村，什么也不写"),
    Step(verb="preview", steps=("intake", "audience", "planning"), leaves="什么也不留下"),
    Step(verb="explain", steps=("audience", "reporting"), leaves="什么也不留下"),
)
