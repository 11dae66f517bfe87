"""What must not leave a laptop, or stay there, unnoticed: large files, secrets, other repositories.

Every ``check_…`` yields what it has against a push; :func:`refuse` says all of it at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from git_ghost.errors import GhostError
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


class Refusal(NamedTuple):
    """A reason not to push: what was found, and the way out."""

    message: str
    hint: str


def refuse(reasons: Iterable[Refusal]) -> None:
    """Raise one GhostError for all ``reasons``, each with its way out; return without one."""
    reasons = list(reasons)
    if not reasons:
        return
    message = reasons[0].message
    if len(reasons) > 1:
        message = f"this push is refused for {len(reasons)} reasons:"
        message += "".join(f"\n- {reason.message}" for reason in reasons)
    raise GhostError(message, "\n".join(reason.hint for reason in reasons))


class SizeLimits(NamedTuple):
    """How much may be sent, in bytes."""

    file: int
    total: int


def check_sizes(sizes: Mapping[bytes, int], limits: SizeLimits) -> Iterator[Refusal]:
    """Refuse files over ``limits.file``, or over ``limits.total`` together."""
    large = sorted((path for path in sizes if sizes[path] > limits.file), key=lambda p: -sizes[p])
    total = sum(sizes.values())
    hint = (
        "Put what the job does not need into .gitignore (or .git/info/exclude), or send only"
        " tracked files with --no-untracked.\nTo send it all the same: git config {} {}"
    )
    if large:
        named = "".join(f"\n  {show_path(p)} ({show_size(sizes[p])})" for p in large[:8])
        more = f"\n  … and {len(large) - 8} more" if len(large) > 8 else ""
        yield Refusal(
            f"{len(large)} changed or new file(s) over the limit of {show_size(limits.file)};"
            f" nothing was sent:{named}{more}",
            hint.format("ghost.maxFileSize", f"{(max(sizes.values()) >> 20) + 1}m"),
        )
    elif total > limits.total:
        largest = sorted(sizes, key=lambda p: -sizes[p])[:8]
        named = "".join(f"\n  {show_path(p)} ({show_size(sizes[p])})" for p in largest)
        yield Refusal(
            f"{len(sizes)} changed or new files have {show_size(total)} together, over the limit of"
            f" {show_size(limits.total)}; nothing was sent. The largest:{named}",
            hint.format("ghost.maxSize", f"{(total >> 20) + 1}m"),
        )


def check_secrets(untracked: Iterable[bytes], included: frozenset[bytes]) -> Iterator[Refusal]:
    """Refuse new files whose names look like secrets and that ``-I`` did not name."""
    found = [path for path in untracked if path not in included and looks_secret(path)]
    if found:
        yield Refusal(
            f"{len(found)} new file(s) look like secrets by their names; nothing was sent:"
            f"{show_paths(found)}",
            "Put them into .gitignore (or .git/info/exclude), or name them with -I to send them.",
        )


def check_nested(nested: Iterable[bytes], without: frozenset[str]) -> Iterator[Refusal]:
    """Refuse repositories inside the working tree that are not submodules."""
    found = list(nested)
    if found and "nested" not in without:
        yield Refusal(
            f"{len(found)} git repository(ies) inside this one; git cannot carry their content:"
            f"{show_paths(found)}",
            "Put them into .gitignore, make them submodules, or go on without their content:"
            " --without nested",
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
        yield Refusal(
            f"{len(found)} submodule(s) hold uncommitted changes, which a ghost cannot carry:"
            f"{show_paths(found)}",
            "Commit and push them there, or go on with the commits alone: --without submodules",
        )
    if found := list(filled):
        yield Refusal(
            f"{len(found)} submodule(s) are not checked out, but there are files in their folders,"
            f" which git does not look at:{show_paths(found)}",
            "Move the files elsewhere, or go on without them: --without submodules",
        )
    if found := list(unpushed(repository, gitlinks)):
        yield Refusal(
            f"{len(found)} submodule(s) are at a commit that no remote of theirs has:"
            f"{show_paths(found)}",
            "Push them from there (`git -C PATH push`), or go on all the same:"
            " --without submodules",
        )


def check_unread(unread: Iterable[Unread]) -> Iterator[Refusal]:
    """Refuse what git passes over because it cannot be read."""
    if found := list(unread):
        named = [f"\n  {one.path} ({one.reason})" for one in found[:8]]
        more = f"\n  … and {len(found) - 8} more" if len(found) > 8 else ""
        yield Refusal(
            f"{len(found)} file(s) or folder(s) cannot be read, and would stay behind as they are"
            f" here:{''.join(named)}{more}",
            "Make them readable (chmod), or put new ones that the job does not need into .gitignore"
            " (or .git/info/exclude).",
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
        yield Refusal(
            f"{len(found)} changed file(s) are stored by Git LFS; a ghost carries only"
            f" their pointers:{show_paths(found)}",
            "Commit them and push them to the source remote (`git lfs push --all REMOTE` sends"
            " the content), then go on with the pointers: --without lfs",
        )
