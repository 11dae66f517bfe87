"""Which container's exit code counts, and when nothing can come any more."""

from __future__ import annotations

from typing import Any, cast

import pytest

from git_ghost.workloads.cluster import pods, workloads
from git_ghost.workloads.cluster.client import Client
from git_ghost.workloads.cluster.tracking import Choice, Tracker

Object = dict[str, Any]
HERE = ("n", "git-ghost.io/run=x")


def pod(name: str, owner: str, code: int | None, *, second: int = 0, node: str = "") -> Object:
    """Return a pod of one container that runs (None) or ended with `code` in that second."""
    ended = {"exitCode": code, "finishedAt": f"2026-01-01T00:00:{second:02}Z"}
    state = {"running": {}} if code is None else {"terminated": ended}
    phase = {None: "Running", 0: "Succeeded"}.get(code, "Failed")
    metadata: Object = {"name": name, "uid": name, "namespace": "n"}
    metadata["ownerReferences"] = [{"uid": owner}]
    if node:
        metadata["annotations"] = {"workflows.argoproj.io/node-name": node}
    return {
        "metadata": metadata,
        "spec": {"containers": [{"name": "main"}], "restartPolicy": "Never"},
        "status": {"phase": phase, "containerStatuses": [{"name": "main", "state": state}]},
    }


def misnamed(name: str, owner: str) -> Object:
    """Return a pod that no waiting helps."""
    found = pod(name, owner, None)
    waiting = {"reason": "InvalidImageName", "message": "no"}
    found["status"] = {
        "phase": "Pending",
        "containerStatuses": [{"name": "main", "state": {"waiting": waiting}}],
    }
    return found


@pytest.fixture
def tracker() -> Tracker:
    """Return a tracker that has nobody to ask."""
    return Tracker(cast("Client", None), Choice(), True, lambda _: None, lambda *_: None)


def decisive(tracker: Tracker, *found: Object, others: set[str] | None = None) -> int | None:
    """Return the exit code that counts."""
    tracker.listed(HERE, found)
    failure = tracker.decisive_failure(others or set(), "")
    return failure and failure.code


def test_a_pod_that_belongs_to_what_the_workload_made_counts(tracker: Tracker) -> None:
    launcher = pod("launcher", "a job", 3)
    assert decisive(tracker, pod("worker", "the MPIJob", None), launcher) == 3


def test_the_pods_of_another_workload_do_not_count(tracker: Tracker) -> None:
    mine, other = pod("mine", "a", 3, second=2), pod("other", "b", 5, second=1)
    assert decisive(tracker, mine, other, others={"b"}) == 3


def test_steps_of_an_earlier_try_of_their_group_do_not_count(tracker: Tracker) -> None:
    found = [
        pod("p1", "w", 7, second=1, node="w(0)[0].fetch"),
        pod("p2", "w", 0, second=2, node="w(1)[0].fetch"),
        pod("p3", "w", 42, second=3, node="w(1)[1].train"),
    ]
    assert decisive(tracker, *found) == 42


def test_items_of_a_loop_are_no_tries(tracker: Tracker) -> None:
    found = [
        pod("p1", "w", 7, second=1, node="w[0].train(0:a)(1)"),
        pod("p2", "w", 0, second=2, node="w[0].train(1:b)"),
    ]
    assert decisive(tracker, *found) == 7


def test_what_no_waiting_helps_ends_nothing_while_another_pod_runs(tracker: Tracker) -> None:
    tracker.listed(HERE, [misnamed("stuck", "a"), pod("well", "a", None)])
    assert tracker.stuck({"a"}) == ""
    tracker.heard(HERE, pod("well", "a", 0))
    assert "pod stuck will not get any further" in tracker.stuck({"a"})


def test_one_of_two_workloads_without_hope_does_not_end_the_other(tracker: Tracker) -> None:
    tracker.listed(HERE, [misnamed("stuck", "a")])
    assert tracker.stuck({"a", "b"}) == ""
    assert tracker.stuck({"a"})


def test_a_pod_that_is_told_to_end_does_not_count(tracker: Tracker) -> None:
    going = misnamed("stuck", "a")
    tracker.heard(HERE, going)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    tracker.heard(HERE, going)
    assert tracker.stuck({"a"}) == ""


def test_a_pod_of_another_listing_is_not_missed(tracker: Tracker) -> None:
    tracker.listed(HERE, [pod("a", "w", None)])
    tracker.listed(("n", "batch.kubernetes.io/job-name=x"), [])
    assert not tracker.known["a"].gone
    tracker.listed(HERE, [])
    assert tracker.known["a"].missing_since
    tracker.deleted(HERE, pod("a", "w", 3))
    assert not tracker.known["a"].missing_since


def test_a_pull_that_runs_again_is_no_work() -> None:
    status = {"name": "git-ghost", "state": {"running": {}}, "restartCount": 0}
    data: Object = {"metadata": {"name": "p"}, "status": {"initContainerStatuses": [status]}}
    assert pods.is_at_work(data)
    status["restartCount"] = 1
    assert not pods.is_at_work(data)


@pytest.mark.parametrize(("policy", "ends"), [("Always", False), ("Never", True), (None, False)])
def test_a_pod_that_is_started_again_for_ever_does_not_end(policy: str | None, ends: bool) -> None:
    spec = {"restartPolicy": policy} if policy else {}
    assert workloads.ends({"kind": "Pod", "metadata": {"name": "p"}, "spec": spec}) == ends


@pytest.mark.parametrize(
    ("phase", "words"),
    [("Pending", "queued in gpu"), ("Inqueue", "queued in gpu"), ("Running", "")],
)
def test_a_volcano_job_without_its_pods_is_queued(phase: str, words: str) -> None:
    status = {"state": {"phase": phase}}
    spec = {"queue": "gpu"}
    data = {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "metadata": {}, "spec": spec}
    assert workloads.queued({**data, "status": status}) == words
