"""Configuration of the site, which `nox -s docs` builds offline with warnings as errors.

Sphinx creates the API reference from docstrings and reports broken links (`nitpicky`). MyST reads
Markdown, which can be read on a code host, too. furo contains its fonts, scripts and dark mode.
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
# Types of other libraries: their inventories are not fetched, so that the site builds offline.
nitpick_ignore_regex = [
    (r"py:.*", r"(_pytest|aiobotocore|boto3|botocore|collections|contextlib)\..*"),
    (r"py:.*", r"(datetime|email|os|smithy\w+)\..*"),
    (r"py:.*", r"(AioSession|CredentialRetrievalError|S3Credential|SmithyIdentityError|datetime)"),
    # Private names that signatures of the public API contain.
    (r"py:.*", r"(RoleSettings|Settings|World|gcp_aws_bridge\._cache\.clock\.World)"),
    (r"py:.*", r"gcp_aws_bridge\.google\._federated_identity\.Identity"),
    (r"py:.*", r"gcp_aws_bridge\.emulator\.(accounts|callers|issuer|mapping|server|trust)\..*"),
]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # errors.md has a ### heading for each error id

add_module_names = False
python_maximum_signature_line_length = 88
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
default_role = "code"  # docstrings have `names` in single backticks
napoleon_google_docstring = True
napoleon_numpy_docstring = False

smartquotes = False  # so that readers can copy quotation marks in code
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
    """Show text that a docstring indents by four spaces, outside its sections, as code."""
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
    """Replace a <picture> by its light and dark image, of which furo shows the chosen one.

    A code host renders the HTML itself. Sphinx does not find or copy images in HTML.
    """

    default_priority = 200

    def apply(self, **_: Any) -> None:
        for raw in list(self.document.findall(nodes.raw)):
            if found := re.search(PICTURE, raw.astext(), re.S):
                dark, alt, light = found.groups()
                made = []
                for uri, look in ((light, "light"), (dark, "dark")):
                    # The README, which the first page includes, is in the parent folder.
                    image = nodes.image(uri=uri.removeprefix("docs/"), alt=alt)
                    image["classes"] = [f"only-{look}"]
                    made.append(image)
                raw.replace_self(made)


def colons(_: Any, doctree: nodes.document) -> None:
    """Put a colon between a parameter and its description, instead of Sphinx's two hyphens."""
    for text in list(doctree.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(": "))


def setup(app: Any) -> None:
    """Register the functions above; `code_blocks` runs before napoleon rewrites the sections."""
    app.add_transform(Pictures)
    app.connect("doctree-read", colons)
    app.connect("autodoc-process-docstring", lambda *args: code_blocks(args[-1]), priority=1)
