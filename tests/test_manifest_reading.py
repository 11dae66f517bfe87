"""Manifests are read as Kubernetes reads them, or refused with file and line."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings, strategies as st

from git_ghost.workloads import manifest
from git_ghost.workloads.manifest import ManifestError
from git_ghost.workloads.manifest.reading import MAX_DEPTH, MAX_NODES

HEAD = "apiVersion: v1\nkind: ConfigMap\n"


def value(text: str) -> Any:
    """What `text` is as the value of a key."""
    return manifest.parse(f"{HEAD}value: {text}\n".encode(), "file")[0].data["value"]


def refused(content: bytes | str) -> str:
    """The message with which `content` is refused."""
    with pytest.raises(ManifestError) as caught:
        manifest.parse(content.encode() if isinstance(content, str) else content, "job.yaml")
    return caught.value.message


HUGE = 12345678901234567890123
"""kubectl rounds it to a floating point number; here it stays as it is."""
SCALARS = [
    ("on", True), ("yes", True), ("y", True), ("Off", False), ("n", False), ("true", True),
    ('"on"', "on"), ("oN", "oN"), ("0444", 292), ("0o17", 15), ("-017", -15), ("08", 8),
    ("0x1F", 31), ("-0x1f", -31), ("0b101", 5), ("1_000", 1000), ("+1", 1), ("1e3", 1000),
    ("1.50", 1.5), (".5", 0.5), ("1.", 1), ("1e-3", 0.001), ("2024-01-31", "2024-01-31"),
    ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"), ("12:30", "12:30"), ("1:30:45", "1:30:45"),
    ("=", "="), ("~", None), ("", None), ("null", None), ("Null", None), ("nUll", "nUll"),
    ("'0444'", "0444"), ("1.2.3", "1.2.3"), ("1e", "1e"), ("_1", "_1"),
    ("!!str 12", "12"), ("!!int '12'", 12), ("!!float 1", 1), ("!!bool yes", True),
    (str(HUGE), HUGE), ("0.1", 0.1), ("!!null ''", None),
    ("._5", "._5"), (".5_", ".5_"), (".5_5", 0.55), ("-._5", -0.5),
    ("{a: 1, <<: {a: 2}, b: 3}", {"a": 2, "b": 3}), ("{<<: {a: 1}, <<: {a: 2}}", {"a": 2}),
    ("{<<: [{a: 1}, {a: 2, b: 2}], b: 3}", {"a": 1, "b": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "meant"), SCALARS, ids=repr)
def test_a_scalar_is_read_as_kubernetes_reads_it(text: str, meant: Any) -> None:
    found = value(text)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl to compare with")
def test_kubectl_reads_the_same(tmp_path: Path) -> None:
    compared = [(text, meant) for text, meant in SCALARS if meant != HUGE]
    lines = "".join(f"  k{number}: {text}\n" for number, (text, _) in enumerate(compared))
    file = tmp_path / "file.yaml"
    file.write_text(f"apiVersion: example.com/v1\nkind: X\nmetadata: {{name: x}}\ndata:\n{lines}")
    # A local patch prints the object as kubectl read it, and asks no server.
    argv = [
        "kubectl",
        "patch",
        "--local",
        "-f",
        str(file),
        "--type=merge",
        "-p",
        "{}",
        "-o",
        "json",
    ]
    done = subprocess.run(argv, capture_output=True, check=True)
    assert json.loads(done.stdout)["data"] == {
        f"k{number}": meant for number, (_, meant) in enumerate(compared)
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "job.yaml:2: this is not valid YAML: while parsing a flow sequence"),
        ("a: b: c", "job.yaml:1: this is not valid YAML"),
        (HEAD + "a: 1\nb: 2\na: 3\n", "job.yaml:5: the key 'a' is there twice"),
        (HEAD + "a:\n  b: {c: 1, c: 2}\n", "job.yaml:4: the key 'c' is there twice"),
        (HEAD + "data:\n  on: push\n", "job.yaml:4: the key on is read as true"),
        (HEAD + "data:\n  0444: x\n", "job.yaml:4: the key 0444 is read as 292"),
        (HEAD + "data:\n  1.5: x\n", "job.yaml:4: the key 1.5 is read as 1.5"),
        (HEAD + "data:\n  ~: x\n", "job.yaml:4: the key ~ is read as null"),
        (HEAD + "? [a]\n: 1\n", "job.yaml:3: a key must be a string"),
        (HEAD + "a: .nan\n", "job.yaml:3: .nan is not a number JSON can hold"),
        (HEAD + "a: 1e999\n", "job.yaml:3: 1e999 is not a number JSON can hold"),
        (HEAD + "a: !secret x\n", "job.yaml:3: the tag !secret is unknown"),
        (HEAD + "a: !!set {x}\n", "job.yaml:3: the tag "),
        (HEAD + "a: !!str [x]\n", "job.yaml:3: the tag "),
        (HEAD + "? !!str [x]\n: y\n", "job.yaml:3: a key must be a string"),
        (HEAD + "a: !!int x\n", "job.yaml:3: 'x' is not a valid int"),
        (HEAD + "a: &a [*a]\n", "job.yaml:3: this anchor contains itself"),
        (HEAD + "a: *b\n", "job.yaml:3: this is not valid YAML: found undefined alias"),
        (HEAD + "a:\n  <<: 1\n", "job.yaml:4: << takes mappings only"),
        ("%YAML 9.9\n---\na: 1\n", "job.yaml:1: this is not valid YAML"),
        ("- x\n", "job.yaml:1: this is not a Kubernetes object but a list"),
        ("just text", "job.yaml:1: this is not a Kubernetes object but a text"),
        ("1", "job.yaml:1: this is not a Kubernetes object but a number"),
        (
            HEAD + "---\nkind: Pod\n",
            "job.yaml:4: this is not a Kubernetes object: it has no apiVersion",
        ),
        (
            "apiVersion: v1\nkind: 3\n",
            "job.yaml:1: this is not a Kubernetes object: it has no kind",
        ),
        ('{"apiVersion": "v1", "kind": "Pod", "a": 1, "a": 2}', "job.yaml:1: the key 'a' is there"),
        (
            '{"apiVersion": "v1",\n "kind": "Pod", "a": 1e999}',
            "job.yaml:2: 1e999 is not a number JSON",
        ),
        (
            '{"apiVersion": "v1",\n "kind": "Pod", "a": "\\ud800"}',
            "job.yaml:2: this is not valid YAML: while",
        ),
        ("\tkind: Pod", "job.yaml:1: this is not valid YAML"),
        ("a\0b", "job.yaml: this is not valid YAML"),
    ],
)
def test_what_cannot_be_read_is_refused_with_file_and_line(text: str, said: str) -> None:
    assert refused(text).startswith(said)


@pytest.mark.parametrize("line", ["---\n", "---\r\n", "--- # the next\n"])
def test_every_document_may_begin_with_a_byte_order_mark(line: str) -> None:
    mark, text = "\ufeff", HEAD + "data: {a: b}\n"
    found = manifest.parse((mark + text + line + mark + text).encode(), "job.yaml")
    assert [(each.data, each.where) for each in found] == [
        (found[0].data, "job.yaml:1"),
        (found[0].data, "job.yaml:5"),
    ]
    inside = manifest.parse((text + f"kept: a{mark}b\n").encode(), "job.yaml")
    assert inside[0].data["kept"] == f"a{mark}b"


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    assert refused(b"a: 1\nb: \xff\n") == "job.yaml:2: this is not UTF-8 text"


def test_a_few_bytes_cannot_stand_for_a_billion_values() -> None:
    lines = ["a0: &a0 [x]"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)
    ]
    assert f"more than {MAX_NODES:,} values" in refused(HEAD + "\n".join(lines) + "\n")


@pytest.mark.parametrize("depth", [MAX_DEPTH, 600, 5000])
@pytest.mark.parametrize(
    ("head", "each", "end"),
    [
        (HEAD + "a: ", "[", "]"),
        (HEAD + "a:\n ", "- ", ""),
        ('{"apiVersion": "v1", "kind": "ConfigMap", "a": ', "[", "]"),
    ],
    ids=["flow", "block", "json"],
)
def test_endless_nesting_is_refused(head: str, each: str, end: str, depth: int) -> None:
    line = head.count("\n") + 1
    said = refused(head + each * depth + "1" + end * depth + ("}" if head[0] == "{" else ""))
    assert said == f"job.yaml:{line}: this is nested too deeply, more than {MAX_DEPTH} levels"


def test_deep_nesting_is_read_and_written() -> None:
    depth = MAX_DEPTH - 1
    for text in ("a: " + "[" * depth + "]" * depth, "a:\n " + "- " * depth + "1"):
        [document] = manifest.parse((HEAD + text).encode(), "file")
        again = manifest.parse(manifest.dump([document.data]).encode(), "file")
        assert again[0].data == document.data


def test_what_an_anchor_names_is_not_shared() -> None:
    [document] = manifest.parse(f"{HEAD}a: &x {{b: [1]}}\nc: *x\n".encode(), "file")
    document.data["a"]["b"].append(2)
    assert document.data["c"] == {"b": [1]}


def test_merged_mappings_give_way_to_the_keys_below_them_and_the_first_wins() -> None:
    text = f"{HEAD}a: &a {{p: 1, q: 1}}\nb: &b {{p: 2, r: 2}}\nc: {{<<: [*a, *b], q: 3}}\n"
    assert manifest.parse(text.encode(), "file")[0].data["c"] == {"p": 1, "q": 3, "r": 2}


def test_every_document_knows_its_line_and_empty_ones_do_not_count() -> None:
    text = f"# a comment\n---\n{HEAD}---\n---\n# nothing\n---\n{HEAD}"
    assert [each.where for each in manifest.parse(text.encode(), "x.yaml")] == [
        "x.yaml:3",
        "x.yaml:9",
    ]


def test_json_is_read_also_one_object_behind_another() -> None:
    one = {"apiVersion": "v1", "kind": "Pod", "text": "tab\there \N{SNOWBOARDER}", "n": 1.5}
    text = json.dumps(one, indent=1) + "\n" + json.dumps(one)
    found = manifest.parse(text.encode(), "x.json")
    assert [each.data for each in found] == [one, one]
    assert [each.where for each in found] == ["x.json:1", "x.json:7"]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert manifest.parse(b"\xef\xbb\xbf" + HEAD.encode(), "x")[0].kind == "ConfigMap"


def test_a_folder_is_its_manifests_by_name(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.json", "d.txt", "README"):
        text = f'{{"apiVersion": "v1", "kind": "ConfigMap", "from": "{name}"}}'
        (tmp_path / name).write_text(text)
    found = manifest.read([str(tmp_path), "-"], b"")
    assert [each.data["from"] for each in found] == ["a.yml", "b.yaml", "c.json"]


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "null\n", "---\n---\n"])
def test_no_object_at_all_is_an_error(text: str) -> None:
    with pytest.raises(ManifestError, match="there is no Kubernetes object in -"):
        manifest.read(["-"], text.encode())


WORDS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8),
    st.text("yYnNoOfF01234567890xXbeE+-._:~=<> #'\"\n\t", max_size=6),
    st.sampled_from([text for text, _ in SCALARS]),
)
VALUES = st.recursive(
    st.one_of(
        WORDS, st.integers(-(2**63), 2**64), st.booleans(), st.none(),
        st.floats(allow_nan=False, allow_infinity=False).filter(lambda f: f % 1 != 0),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from(manifest.FORMATS))
def test_what_is_written_is_read_as_the_same(data: Any, form: str) -> None:
    before = {"apiVersion": "v1", "kind": "X", "value": data}
    text = manifest.dump([before], form)
    [after] = manifest.parse(text.encode(), "file")
    assert json.dumps(after.data) == json.dumps(before)  # types and the order of keys too


@settings(max_examples=200, deadline=None)
@example(1e-07)
@example(1e21)
@given(VALUES)
def test_another_reader_of_yaml_takes_it_the_same_way(data: Any) -> None:
    text = manifest.dump([{"value": data}])
    assert yaml.safe_load(text) == {"value": data}
