"""The site: `nox -s docs` makes it, with warnings as errors and no network.

Sphinx, since the API reference comes from docstrings and a link that leads nowhere must be an error
(`nitpicky`); MyST, since the pages are Markdown and are read on a code host as well; furo, which
brings its fonts, scripts and dark mode along.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform

import gcp_aws_bridge

project = "gcp-aws-bridge"
author = "The gcp-aws-bridge authors"
copyright = author
version = release = gcp_aws_bridge.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = True
# Types of other libraries: no inventory of theirs is fetched, so that the site builds offline.
nitpick_ignore_regex = [
    (r"py:.*", r"(_pytest|aiobotocore|boto3|botocore|collections|contextlib)\..*"),
    (r"py:.*", r"(datetime|email|os|smithy\w+)\..*"),
    (r"py:.*", r"(AioSession|CredentialRetrievalError|S3Credential|SmithyIdentityError|datetime)"),
    # What is promised mentions these, and they are not promised.
    (r"py:.*", r"(RoleSettings|Settings|gcp_aws_bridge\._cache\.clock\.World)"),
    (r"py:.*", r"gcp_aws_bridge\.google\._federated_identity\.Identity"),
    (r"py:.*", r"gcp_aws_bridge\.emulator\.(accounts|callers|issuer|mapping|server|trust)\..*"),
]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # errors.md goes from ## to ### as its test wants it

add_module_names = False
python_maximum_signature_line_length = 88
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
default_role = "code"  # docstrings have `names` in single backticks
napoleon_google_docstring = True
napoleon_numpy_docstring = False

smartquotes = False  # these pages are full of things to type
html_theme = "furo"
html_title = "gcp-aws-bridge"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
copybutton_prompt_text = "$ "


def code_blocks(lines: list[str]) -> None:
    """Have text that a docstring indents by four, outside of its sections, shown as code."""
    in_section = in_code = False
    made: list[str] = []
    for line in lines:
        if line and not line.startswith(" "):
            in_section = re.fullmatch(r"(Args|Attributes|Raises|Returns|Yields):", line) is not None
            in_code = False
        elif line.startswith("    ") and not in_section and not in_code:
            made += ["::", ""]
            in_code = True
        made.append(line)
    lines[:] = made


PICTURE = r'<picture>.*srcset="(.*?)".*alt="(.*?)" src="(.*?)"'


class Pictures(SphinxTransform):
    """Show of a <picture> what the reader chose, light or dark: a host of code goes by the system.

    Sphinx copies images that it knows, and it does not look for any in HTML.
    """

    default_priority = 200

    def apply(self, **_: Any) -> None:
        for raw in list(self.document.findall(nodes.raw)):
            if found := re.search(PICTURE, raw.astext(), re.S):
                dark, alt, light = found.groups()
                made = []
                for uri, look in ((light, "light"), (dark, "dark")):
                    # The README, which the first page includes, is one folder up.
                    image = nodes.image(uri=uri.removeprefix("docs/"), alt=alt)
                    image["classes"] = [f"only-{look}"]
                    made.append(image)
                raw.replace_self(made)


def colons(_: Any, doctree: nodes.document) -> None:
    """A colon between a parameter and its words: Sphinx leaves two hyphens to smart quotes."""
    for text in list(doctree.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(": "))


def setup(app: Any) -> None:
    """Tell Sphinx of all three; code before napoleon, which rewrites the sections."""
    app.add_transform(Pictures)
    app.connect("doctree-read", colons)
    app.connect("autodoc-process-docstring", lambda *args: code_blocks(args[-1]), priority=1)
