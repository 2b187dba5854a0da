"""What a judge's section of the configuration may say, and what of it goes on the record."""

import re

import pytest
from judge_endpoint import judge_endpoint
from judge_scripts import PARAMS, judge_right, says
from judge_service import judge_config, judged
from pydantic import ValidationError

from env_server.config import load_config
from env_server.judges.endpoint import Endpoint
from rewarders.errors import ConfigError, JudgeFault


def test_a_judge_that_is_not_configured_is_a_fault_that_names_its_section():
    (reply,) = judged(judge_config("http://h/v1"), "judge.criteria", "x", params={**PARAMS, "judges": ["strict"]})
    assert reply.fault is not None
    assert "[judges.strict]" in reply.fault.message


def test_the_key_is_sent_and_is_on_no_record(tmp_path):
    (tmp_path / "key").write_text("sk-secret\n")
    with judge_endpoint(says(right=True)) as endpoint:
        (reply,) = judge_right(endpoint, "fine words", key_file=str(tmp_path / "key"))
    assert {h.lower(): v for h, v in endpoint.headers[0].items()}["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in reply.model_dump_json()


def test_a_key_that_is_not_there_is_a_mistake_in_the_configuration(tmp_path):
    with pytest.raises(ConfigError, match="key_file"):
        Endpoint("judge x", judge_config("http://h/v1", key_file=str(tmp_path / "none")), JudgeFault)


@pytest.mark.parametrize(
    "extra",
    [
        {"api_key": "abc"}, {"Authorization": "x"}, {"headers": {"x-api-key": "abc"}}, {"token": "abc"},
        {"a": [{"access-token": "abc"}]}, {"password": "abc"}, {"client_secret": "abc"}, {"user": "Bearer abcdef"},
        {"anything": "sk-proj-0123456789abcdef"}, {"a": ["hf_abcdefghijklmnop"]}, {"extra_headers": {"Cookie": "a=b"}},
    ],
)  # fmt: skip
def test_a_credential_among_what_goes_on_the_record_is_refused_and_not_repeated(extra):
    judge = {"url": "http://h/v1", "model": "m", "extra": extra}
    with pytest.raises(ValidationError, match="looks like a credential"):
        judge_config("http://h/v1", extra=extra)
    with pytest.raises(ConfigError, match="key_file") as caught:
        load_config(None, {"judges.default": judge})
    assert not {"abc", "0123456789", "a=b", "abcdefghij"} & set(re.findall(r"[\w=]+", str(caught.value)))


@pytest.mark.parametrize(
    "extra",
    [
        {"stop_token_ids": [1], "max_completion_tokens": 5, "min_tokens": 1, "bad_words": ["token"], "top_k": 5},
        {"chat_template_kwargs": {"enable_thinking": False}}, {"reasoning_effort": "low", "user": "assay"},
        {"metadata": {"cache_key": "group-1", "tokenizer": "x"}},
    ],
)  # fmt: skip
def test_what_is_no_credential_may_be_extra(extra):
    assert judge_config("http://h/v1", extra=extra).extra == extra


@pytest.mark.parametrize("field", ["model", "messages", "temperature", "max_tokens", "response_format", "stream"])
def test_what_extra_could_not_change_or_would_break_is_refused(field: str):
    with pytest.raises(ValidationError, match=f"{field} is not extra"):
        judge_config("http://h/v1", extra={field: 1})


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h",
        "h:80",
        "file:///etc/passwd",
        "",
        "http://user:secret@h/v1",
        "http://key@h",
        "http://h/v1?key=secret",
        "http://h/v1#k",
    ],
)
def test_an_endpoint_is_an_http_address(url: str):
    with pytest.raises(ValidationError):
        judge_config(url)
