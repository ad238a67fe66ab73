"""What all pages share: values are text unless the package says that they are markup."""

import re
from importlib.resources import files

import pytest
from jinja2 import UndefinedError

from reloc.view.page import rendered

NOTHING = {"basis": "", "advice": (), "plan": "", "judged": True, "strips": ()}


def test_text_is_escaped_wherever_a_page_shows_it():
    page = rendered("capture.html", title='"><b>\udcff', **NOTHING)
    assert "<title>&#34;&gt;&lt;b&gt;?</title>" in page
    assert "<h1>&#34;&gt;&lt;b&gt;?</h1>" in page


def test_a_value_that_is_missing_is_a_fault():
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        rendered("capture.html", **NOTHING)


def test_no_template_takes_text_for_markup():
    for template in (files("reloc.view") / "templates").iterdir():
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe", text)
        assert "autoescape" not in text
