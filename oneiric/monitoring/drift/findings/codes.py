"""The code of every finding, with what it means and how grave it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True, slots=True)
class Code:
    """What a finding's code stands for.

    Attributes:
        title: What is wrong, in a few words.
        why: What comes of it.
        level: ``error``: it never works as it is written; ``warning``: it probably does not say what is meant, or is
            not as the policy wants it; ``note``: it may be right, and is worth a look.
    """

    title: str
    why: str
    level: Level = "error"


CODES: dict[str, Code] = {
    "ON001": Code("cannot be read", "a path is missing, is no regular file, or may not be read"),
    "ON002": Code("not UTF-8", "nothing reads it as it was meant"),
    "ON003": Code("not YAML", "what should load it refuses it whole"),
    "ON004": Code("not JSON", "what should load it refuses it whole"),
    "ON005": Code("too large", "the check reads files of at most 5 MB"),
    "ON006": Code("nested too deeply, or too many values", "the check follows 100 levels and 300,000 values"),
    "ON007": Code("not PromQL", "Prometheus refuses the file, or the panel shows an error"),
    "ON008": Code("not LogQL", "Loki refuses the query"),
    "ON009": Code("findings left out", "at most 1,000 are shown: mend those first", "note"),
    "ON010": Code("not a kind of file that is checked", "a file was named, and nothing in it could be checked"),
    "ON011": Code("malformed", "a part that the file's kind must have is missing or of another type"),
    "ON012": Code("key twice", "one of the two is ignored, or the file is refused"),
    "ON013": Code("refused by promtool", "Prometheus refuses the file: the words are promtool's"),
    "ON014": Code("refused by amtool", "Alertmanager refuses the file: the words are amtool's"),
    "ON101": Code("no such metric", "the query returns nothing, for ever"),
    "ON102": Code("no such recording rule", "the query returns nothing, for ever"),
    "ON103": Code("name of another type", "a histogram has _bucket, _sum and _count, nothing else has them"),
    "ON104": Code("matcher on a label that the metric lacks", "it selects nothing, or, negated, everything"),
    "ON105": Code("value that a label never has", "it selects nothing, or, negated, everything"),
    "ON106": Code("no such bucket", "the bound is between two buckets, so nothing is selected"),
    "ON107": Code("bound in one spelling", "Prometheus 3 writes 30000 what others write 30000.0", "note"),
    "ON108": Code("aggregated by a label that is not there", "groups are other than they look"),
    "ON109": Code("matched on a label that is not there", "series meet that should not, or none do"),
    "ON110": Code("sides that never meet", "their series have different labels: the result is always empty"),
    "ON111": Code("no such alert", "what waits for it waits for ever"),
    "ON121": Code("no such log event", "the query returns nothing, for ever"),
    "ON122": Code("field that the log event lacks", "the filter drops every line"),
    "ON123": Code("value that a field never has", "the filter drops every line"),
    "ON124": Code("no such stream label", "no stream is selected"),
    "ON131": Code("no such command", "the command fails in the middle of an incident"),
    "ON132": Code("no such option", "likewise"),
    "ON133": Code("value that an option does not take", "likewise"),
    "ON134": Code("no such setting, or a value that it cannot have", "likewise"),
    "ON135": Code("no such environment variable", "it changes nothing, and nothing reports that", "warning"),
    "ON201": Code("rate of a gauge", "every fall counts as a restart"),
    "ON202": Code("counter compared as it is", "once true, it stays true until a restart", "warning"),
    "ON203": Code("quantile without le", "the result is always empty"),
    "ON204": Code("quantile of what has no buckets", "the result is always empty"),
    "ON205": Code("quantile of all that ever was", "yesterday outweighs the last minute", "warning"),
    "ON206": Code("gauge function of a counter", "a restart looks like a fall"),
    "ON207": Code("rate of an aggregate", "the restart of one target counts for all", "warning"),
    "ON208": Code("seconds and milliseconds", "one side is a thousand times too large"),
    "ON209": Code("point in time against length of time", "it is always, or never, so"),
    "ON210": Code("no quantile", "a quantile lies between 0 and 1"),
    "ON211": Code("sum over buckets", "buckets contain each other: each event counts many times"),
    "ON301": Code("threshold beyond the buckets", "no quantile is ever outside the histogram's buckets"),
    "ON302": Code("window of less than two scrapes", "there is no rate between fewer than two samples", "warning"),
    "ON303": Code(
        "window, or number, that the pace of events does not allow", "it hardly ever holds an event", "warning"
    ),
    "ON304": Code("first event unseen", "a series that begins at 1 has not increased", "warning"),
    "ON305": Code("never true", "no value is ever there"),
    "ON306": Code("always true", "every value is there", "warning"),
    "ON307": Code(
        "one event is not enough",
        "it is out of the window before `for` is over: only events that keep coming fire it",
        "warning",
    ),
    "ON308": Code("usual age", "it fires between any two renewals", "warning"),
    "ON401": Code("name of an alert", "the policy asks for another form of name", "warning"),
    "ON402": Code("severity", "the policy asks for one of its severities, which routes rely on", "warning"),
    "ON403": Code("annotation missing", "the policy asks for it: who is called needs it", "warning"),
    "ON404": Code("no such runbook", "the link leads nowhere"),
    "ON405": Code("no such dashboard", "the link leads nowhere"),
    "ON406": Code("template label that the result lacks", "the text has a blank where the name should be"),
    "ON407": Code("rule twice", "samples, or alerts, under one name come from two rules", "warning"),
    "ON408": Code("name of a recording rule", "the policy asks for another form of name", "warning"),
    "ON409": Code("not a duration", "Prometheus refuses the file"),
    "ON501": Code("no such receiver", "Alertmanager refuses the file"),
    "ON502": Code("route on a label that no alert has", "nothing is ever routed so", "warning"),
    "ON503": Code("route on a value that no alert has", "nothing is ever routed so", "warning"),
    "ON504": Code("inhibition on a label that alerts lack", "two alerts that both lack a label agree on it", "warning"),
    "ON505": Code("inhibition of, or by, an alert that is not there", "it never inhibits", "warning"),
    "ON506": Code("receiver without a route", "nothing ever reaches it", "warning"),
    "ON507": Code("grouped by a label that no alert has", "groups are larger than they look", "warning"),
    "ON508": Code("not a matcher", "Alertmanager refuses the file"),
    "ON601": Code(
        "data source fixed", "the policy asks for a variable: the dashboard works in one Grafana only", "warning"
    ),
    "ON602": Code("variable that is not defined", "Grafana sends the name itself"),
    "ON603": Code("variable that lists nothing", "the metric lacks the label that it lists"),
    "ON604": Code("unit of another measure", "the axis is wrong by its factor"),
    "ON605": Code("panel id twice", "links and alerts open the wrong panel", "warning"),
    "ON606": Code("legend of a label that the result lacks", "the legend has a blank where the name should be"),
    "ON607": Code("uid twice", "one dashboard replaces the other", "warning"),
    "ON701": Code("metric unused", "nothing watches it", "warning"),
    "ON702": Code("log event unused", "nothing asks for it", "warning"),
    "ON703": Code("listed as unused, and used", "the list is no longer true", "warning"),
    "ON801": Code("field that no log line has", "the pipeline extracts nothing"),
    "ON802": Code("label with too many values, or one that hides a field", "each value is a stream of its own"),
    "ON803": Code("label from what was not extracted", "the label is never set"),
    "ON901": Code("URL cannot be used", "nothing answers, or not with metrics"),
    "ON902": Code("not exposed", "files ask for what the endpoint does not have"),
    "ON903": Code("exposed otherwise", "the endpoint's type, labels, values or buckets are not those of this version"),
    "ON904": Code("not in the catalogue", "the endpoint has a metric of ours that this version does not know"),
}
"""Every code there is."""
