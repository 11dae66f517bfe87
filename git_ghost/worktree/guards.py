"""What must not leave a laptop, or stay there, unnoticed: large files, secrets, other repositories.

Every ``check_…`` yields what it has against a push; :func:`refuse` says all of it at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from git_ghost.errors import GhostError, Refusal
from git_ghost.model import count
from git_ghost.quarantine import Quarantine
from git_ghost.repository import Repository
from git_ghost.worktree.filters import asked_for
from git_ghost.worktree.overlooked import Unread, unpushed

WITHOUT = ("nested", "submodules", "lfs")
"""What ``--without`` can leave behind knowingly."""

_SECRET = re.compile(
    rb"""
    \.envrc | \.env(?!\.(?:example|sample|template|dist|defaults)\Z)(?:\..+)? | .+\.env
  | .*\.(?:pem|key|p12|pfx|p8|jks|keystore|kdbx|ppk|asc|gpg|ovpn|kubeconfig|tfstate|tfvars)
  | id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?(?:[._-].*)?(?<!\.pub)
  | \.?(?:netrc|pgpass|npmrc|pypirc|htpasswd|git-credentials|vault-token|s3cfg|boto|my\.cnf)
  | _netrc
  | credentials(?:\.(?:json|csv|ya?ml|toml|ini|db|xml))? | (?:.*[._-])?credentials\.json
  | (?:.*[._-])?service[._-]?account(?:[._-].*)?\.json | client[._-]secrets?(?:[._-].*)?\.json
  | application_default_credentials\.json | kubeconfig(?:\..+)?
  | secrets?\.(?:json|ya?ml|toml|ini|env|txt|properties) | accessKeys\.csv | rootkey\.csv
  | kaggle\.json | \.(?:dockercfg|databrickscfg)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_SECRET_PLACE = re.compile(
    rb"(?:\A|/)(?:\.ssh/(?!known_hosts|config\Z|.*\.pub\Z)|\.gnupg/|\.aws/(?:credentials|config)\Z|\.kube/config\Z"
    rb"|\.docker/config\.json\Z|\.config/gcloud/|\.azure/)",
    re.IGNORECASE,
)


def looks_secret(path: bytes) -> bool:
    """Whether a file of this name usually holds a password, a private key or a token."""
    name = path.rpartition(b"/")[2]
    return _SECRET.fullmatch(name) is not None or _SECRET_PLACE.search(path) is not None


def show_path(path: bytes) -> str:
    """A path for a message: on one line, quoted where it holds anything odd."""
    text = path.decode("utf-8", "surrogateescape")
    plain = text.isprintable() and not any("\udc80" <= c <= "\udcff" for c in text)
    if plain and text and text == text.strip() and '"' not in text:
        return text
    shown = "".join(
        chr(b)
        if 32 <= b < 127 and b not in b'"\\'
        else {10: "\\n", 9: "\\t", 34: '\\"', 92: "\\\\"}.get(b, f"\\{b:03o}")
        for b in path
    )
    return f'"{shown}"'


def show_paths(paths: Iterable[bytes], most: int = 8) -> str:
    """Paths for a message, one indented line each, the rest counted."""
    paths = list(paths)
    lines = [f"\n  {show_path(path)}" for path in paths[:most]]
    if len(paths) > most:
        lines.append(f"\n  … and {len(paths) - most} more")
    return "".join(lines)


def show_size(size: int) -> str:
    """A number of bytes for people, in git's binary units."""
    if size < 1024:
        return f"{size} bytes"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024 or unit == "GiB":
            break
    return f"{value:.1f} {unit}"


_MOST = 64
"""How many paths of one reason are named: the way out needs their names."""


def _refusal(text: str, hint: str, paths: Iterable[bytes]) -> Refusal:
    paths = list(paths)
    return Refusal(text, hint, tuple(map(os.fsdecode, paths)), show_paths(paths, _MOST))


def refuse(reasons: Iterable[Refusal], so: str = "; nothing was sent") -> None:
    """Raise one GhostError for all ``reasons``, each with its way out; return without one.

    ``so`` is what comes of it.
    """
    reasons = list(reasons)
    if not reasons:
        return
    message = reasons[0]._replace(text=reasons[0].text + so).message
    if len(reasons) > 1:
        message = f"this push is refused for {len(reasons)} reasons{so}:"
        message += "".join(f"\n- {reason.message}" for reason in reasons)
    error = GhostError(message, "\n".join(reason.hint for reason in reasons))
    error.refusals = tuple(reasons)
    raise error


class SizeLimits(NamedTuple):
    """How much may be sent, in bytes."""

    file: int
    total: int


_LESS = {
    "new": "Put what the job does not need into .gitignore (or .git/info/exclude), or send only"
    " tracked files with --no-untracked.",
    "added": "Take what the job does not need out of the index (git rm --cached FILE), and put it"
    " into .gitignore (or .git/info/exclude).",
    "included": "Name less with -I: leave out what the job does not need.",
    "tracked": "Commit changes of tracked files and push them to the source remote, or set them"
    " aside (git stash).",
}
"""How less is sent, by how a file came to be sent."""


_STAY = {
    "new": "Put what is to stay here into .gitignore (or .git/info/exclude).",
    "added": "Take what is to stay here out of the index (git rm --cached FILE), and put it into"
    " .gitignore (or .git/info/exclude).",
    "included": "Name the files that are meant with -I, in place of the folder they are in.",
}
"""How a likely secret is kept here, by how it came to be sent."""


def _ways_out(
    hints: Mapping[str, str], paths: Iterable[bytes], origins: Mapping[bytes, str]
) -> str:
    found = {origins.get(path, "new") for path in paths}
    return "\n".join(hint for origin, hint in hints.items() if origin in found)


def check_sizes(
    sizes: Mapping[bytes, int],
    limits: SizeLimits,
    origins: Mapping[bytes, str] = MappingProxyType({}),
) -> Iterator[Refusal]:
    """Refuse files over ``limits.file``, or over ``limits.total`` together.

    ``origins`` says of a path whether it is ``new`` (where it is not in there), ``added`` to the
    index, ``included`` with ``-I`` or ``tracked``: each has another way out.
    """
    order = sorted(sizes, key=lambda path: -sizes[path])
    large = [path for path in order if sizes[path] > limits.file]
    total = sum(sizes.values())
    send = "\nTo send it all the same: git config {} {}m"
    if large:
        shown = large[:_MOST]
        text = (
            f"{count(len(large), 'changed or new file')} over the limit of {show_size(limits.file)}"
        )
        key, size = "ghost.maxFileSize", sizes[large[0]]
    elif total > limits.total:
        shown = large = order[:8]
        have = "has" if len(sizes) == 1 else "have"
        text = (
            f"{count(len(sizes), 'changed or new file')} {have} {show_size(total)} together, over"
            f" the limit of {show_size(limits.total)} (the largest are named)"
        )
        key, size = "ghost.maxSize", total
    else:
        return
    listed = "".join(f"\n  {show_path(path)} ({show_size(sizes[path])})" for path in shown)
    more = f"\n  … and {len(large) - len(shown)} more" if len(large) > len(shown) else ""
    yield Refusal(
        text,
        _ways_out(_LESS, large, origins) + send.format(key, (size >> 20) + 1),
        tuple(map(os.fsdecode, large)),
        listed + more,
    )


def check_secrets(
    paths: Iterable[bytes], named: frozenset[bytes], origins: Mapping[bytes, str]
) -> Iterator[Refusal]:
    """Refuse new files whose names look like secrets and that ``-I`` did not name.

    ``origins`` are those of :func:`check_sizes`.
    """
    found = [path for path in paths if path not in named and looks_secret(path)]
    if not found:
        return
    yield _refusal(
        count(
            len(found),
            "new file with a name like that of a secret",
            "new files with names like those of secrets",
        ),
        _ways_out(_STAY, found, origins) + "\nTo send it all the same: name each file with -I.",
        found,
    )


def check_nested(nested: Iterable[bytes], without: frozenset[str]) -> Iterator[Refusal]:
    """Refuse repositories inside the working tree that are not submodules."""
    found = list(nested)
    if found and "nested" not in without:
        number = count(len(found), "git repository", "git repositories")
        yield _refusal(
            f"{number} inside this one, whose content git cannot carry",
            "Put what is named into .gitignore, make it a submodule, or go on without its content:"
            " --without nested",
            found,
        )


def check_submodules(
    repository: Repository,
    dirty: Iterable[bytes],
    gitlinks: Iterable[bytes],
    filled: Iterable[bytes],
) -> Iterator[Refusal]:
    """Refuse submodules with uncommitted work, or at a commit nobody else has.

    ``filled`` are those that are not checked out, but whose folders hold something.
    """
    if found := list(dirty):
        yield _refusal(
            f"{count(len(found), 'submodule')} with uncommitted changes, which a ghost cannot"
            " carry",
            "Commit and push the changes there, or go on with the commits alone:"
            " --without submodules",
            found,
        )
    if found := list(filled):
        yield _refusal(
            f"{count(len(found), 'submodule')} not checked out, but with files in the folder, which"
            " git does not look at",
            "Move the files elsewhere, or go on without them: --without submodules",
            found,
        )
    if found := list(unpushed(repository, gitlinks)):
        yield _refusal(
            f"{count(len(found), 'submodule')} at a commit that is on no remote of the submodule",
            "Push the commit from there (git -C PATH push), or go on all the same:"
            " --without submodules",
            found,
        )


def check_unread(unread: Iterable[Unread]) -> Iterator[Refusal]:
    """Refuse what git passes over because it cannot be read."""
    if found := list(unread):
        named = [f"\n  {one.path} ({one.reason})" for one in found[:_MOST]]
        more = f"\n  … and {len(found) - _MOST} more" if len(found) > _MOST else ""
        yield Refusal(
            f"{count(len(found), 'file or folder', 'files or folders')} that cannot be read, and"
            " would stay behind",
            "Make what is named readable (chmod), or put what is new and not needed by the job into"
            " .gitignore (or .git/info/exclude).",
            tuple(one.path for one in found),
            "".join(named) + more,
        )


def check_lfs(
    quarantine: Quarantine, paths: Iterable[bytes], without: frozenset[str]
) -> Iterator[Refusal]:
    """Refuse changed files under an LFS filter: its server would lack their content.

    A ghost carries the pointer only. Asked only where a ``filter.lfs`` is configured, since without
    one git stores the content itself.
    """
    paths = list(paths)
    if (
        not paths
        or "lfs" in without
        or not quarantine.repository.config.any(r"filter\.lfs\.(?:clean|process)$")
    ):
        return
    found = [path for path, name in asked_for(quarantine, paths).items() if name == "lfs"]
    if found:
        yield _refusal(
            f"{count(len(found), 'changed file')} stored by Git LFS, of which a ghost carries only"
            " the pointers",
            "Commit the changes and push them to the source remote (`git lfs push --all REMOTE`"
            " sends the content), then go on with the pointers: --without lfs",
            found,
        )
