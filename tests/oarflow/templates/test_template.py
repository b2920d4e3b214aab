"""The choice among templates, their order and their digests."""

from __future__ import annotations

from oarflow.templates.folder import parse_templates
from oarflow.templates.rules import TemplateFacts

LARYNX = "rules: [{protocol_name: larynx}]\norgans: [Brainstem]\n"
CT1 = "rules: [{station: never}, {context: {calling_ae: CT1}}]\norgans: [Larynx]\n"
DEFAULT = "organs: all\n"


def taken(texts: dict[str, str], protocol: str = "", **context: str) -> tuple[str, str] | None:
    choice = parse_templates(texts).choose(TemplateFacts({"protocol_name": protocol}, context))
    if choice is None:
        return None
    return choice.template.name, choice.rule.words if choice.rule else "default"


def test_the_first_that_fits_wins_and_the_default_follows() -> None:
    texts = {"a_default.yaml": DEFAULT, "ct1.yaml": CT1, "larynx.yaml": LARYNX}
    assert taken(texts, "RT larynx") == ("larynx", "protocol_name: larynx")
    assert taken(texts, "RT larynx", calling_ae="CT1") == ("ct1", "context calling_ae: CT1")
    assert taken(texts, "RT brain", calling_ae="CT2") == ("a_default", "default")


def test_a_lower_order_comes_before_the_name() -> None:
    texts = {"ct1.yaml": CT1, "larynx.yaml": f"order: -1\n{LARYNX}"}
    assert taken(texts, "larynx", calling_ae="CT1") == ("larynx", "protocol_name: larynx")


def test_the_default_is_last_whatever_its_order() -> None:
    texts = {"default.yaml": f"order: -5\n{DEFAULT}", "larynx.yaml": LARYNX}
    assert taken(texts, "larynx") == ("larynx", "protocol_name: larynx")


def test_without_a_default_none_may_be_taken() -> None:
    assert taken({"larynx.yaml": LARYNX}, "brain") is None
    assert taken({}, "larynx") is None


def digest(text: str, name: str = "one.yaml") -> str:
    (template,) = parse_templates({name: text}).templates
    return template.digest


def test_the_digest_depends_on_name_rules_and_settings_only() -> None:
    base = digest(LARYNX)
    assert digest(f"# a comment\nabout: for people\norder: 3\n{LARYNX}") == base
    others = {
        digest(LARYNX, "two.yaml"),
        digest(LARYNX.replace("larynx", "glottis")),
        digest(LARYNX.replace("Brainstem", "SpinalCord")),
        digest(LARYNX + "strict: true\n"),
    }
    assert len(others | {base}) == 5


def test_the_set_has_a_digest_of_all_files() -> None:
    sets = [{"a.yaml": LARYNX}, {"a.yaml": f"{LARYNX}#"}, {"a.yaml": LARYNX, "b.yaml": CT1}]
    assert len({parse_templates(one).digest for one in sets}) == 3
