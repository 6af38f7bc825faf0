"""Session tags: the rules of AWS, and an immutable mapping that holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gcp_aws_bridge.exceptions import ConfigError, quoted

# AWS STS API reference, AssumeRole, Tags, and Tag: at most 50; keys of 1 to 128 and values of 0 to
# 256 of [\p{L}\p{Z}\p{N}_.:/=+\-@].
_TAGS = 50
_KEY_LENGTH = range(1, 129)
_VALUE_LENGTH = range(257)
_ASCII = r"[A-Za-z0-9 _.:/=+@-]*"
_LETTERS_SPACES_NUMBERS = "LZN"  # first letters of Unicode's general categories
# IAM user guide, "Rules for tagging in IAM and AWS STS": neither keys nor values begin with it.
_RESERVED = "aws:"
_FIX = (
    "use letters, numbers, spaces and _.:/=+-@ only, in keys of 1 to 128 and values of up to 256 "
    "characters that do not begin with aws:."
)


class SessionTags(dict[str, str]):
    """Immutable, hashable dict in the order of the keys; a dict, so that `json` can write it."""

    def __init__(self, tags: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        super().__init__(sorted(dict(tags).items()))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)

    def _refuse(self, *args: Any, **more: Any) -> Any:
        raise TypeError("the tags of a ChainedRole cannot be changed: dataclasses.replace(role, …)")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


def checked_tags(tags: Mapping[str, str] | None, arn: str) -> SessionTags | None:
    """Return *tags*, the session tags for *arn*, or None if there are none.

    Raises:
        ConfigError: STS would reject them.
    """
    if tags is None:
        return None
    if not isinstance(tags, Mapping):
        raise _malformed(
            f"tags is {quoted(tags)} ({type(tags).__name__}); it must be a mapping of keys to "
            "values.",
            'pass tags={"tenant": "acme"}.',
        )
    for key, value in tags.items():
        if not _is_valid(key, _KEY_LENGTH):
            raise _malformed(f"AWS does not accept {quoted(key)} as the key of a tag.", _FIX)
        if not _is_valid(value, _VALUE_LENGTH):
            raise _malformed(
                f"AWS does not accept {quoted(value)} ({type(value).__name__}) as the value of the "
                f"tag {quoted(key)}.",
                _FIX,
            )
    if len(tags) > _TAGS:
        raise _malformed(
            f"{len(tags)} tags are given for {arn}; AWS accepts at most {_TAGS}.",
            f"pass at most {_TAGS} tags.",
        )
    _check_duplicates([*tags])
    return SessionTags(tags) if tags else None


def checked_transitive_keys(
    keys: tuple[str, ...], tags: SessionTags | None, arn: str
) -> tuple[str, ...]:
    """Return the transitive *keys* as *tags* spells them, sorted, each once.

    STS requires a tag with each key: "The specified transitive tag key must be included in the
    requested tags", in any case.

    Raises:
        ConfigError: A key has no tag.
    """
    spelled = {key.lower(): key for key in tags or ()}
    missing = [key for key in keys if not isinstance(key, str) or key.lower() not in spelled]
    if missing:
        raise ConfigError(
            f"transitive_tag_keys has {quoted(missing[0])}, which is no key of the tags for {arn}.",
            fix="add a tag with this key, or omit the key. Tags that an earlier role made "
            "transitive stay so.",
            error_id="config/transitive-tags",
        )
    return tuple(sorted({spelled[key.lower()] for key in keys}))


def _check_duplicates(keys: list[str]) -> None:
    seen: dict[str, str] = {}
    for key in keys:
        if (other := seen.setdefault(key.lower(), key)) != key:
            raise _malformed(
                f"The tags {quoted(other)} and {quoted(key)} have the same key: AWS ignores the "
                "case of tag keys.",
                "omit one of them.",
            )


def _is_valid(text: object, length: range) -> bool:
    return (
        isinstance(text, str)
        and len(text) in length
        and not text.lower().startswith(_RESERVED)
        and (re.fullmatch(_ASCII, text) is not None or all(map(_is_character, text)))
    )


def _is_character(character: str) -> bool:
    from unicodedata import category  # not needed for ASCII

    return (
        category(character)[0] in _LETTERS_SPACES_NUMBERS
        or re.fullmatch(_ASCII, character) is not None
    )


def _malformed(seen: str, fix: str) -> ConfigError:
    return ConfigError(seen, fix=fix, error_id="config/tags")
