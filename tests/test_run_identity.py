"""Who git ghost run is to the API server: in whose name it asks, and with what credentials."""

from __future__ import annotations

import json
from typing import Any

from tests.support.cluster import Cluster
from tests.support.cluster.cluster import TOKEN
from tests.support.manifests import job
from tests.support.scene import Scene


def log_in(cluster: Cluster, **user: Any) -> None:
    """Change how the kubeconfig logs in."""
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = user
    cluster.kubeconfig.write_text(json.dumps(config))


def test_every_request_is_made_in_the_name_of_whom_the_kubeconfig_says(
    scene: Scene, cluster: Cluster
) -> None:
    extra = {"scopes": ["view", "edit"], "example.com/team": ["ml"], "ö": ["1"]}
    who = {"as": "jörg@example.com", "as-uid": "17", "as-groups": ["ml", "interns"]}
    log_in(cluster, token=TOKEN, **who, **{"as-user-extra": extra})
    assert scene.run(job("train-", "echo done")).ok() == "done"
    said = {
        ("Impersonate-User", "jörg@example.com".encode().decode("latin-1")),
        ("Impersonate-Uid", "17"),
        ("Impersonate-Group", "ml"),
        ("Impersonate-Group", "interns"),
        ("Impersonate-Extra-scopes", "view"),
        ("Impersonate-Extra-scopes", "edit"),
        ("Impersonate-Extra-example.com%2fteam", "ml"),
        ("Impersonate-Extra-%c3%b6", "1"),
    }
    ours = [seen for seen in cluster.requests if seen.agent == "git-ghost"]
    assert {"create", "list", "watch"} <= {seen.verb for seen in ours}
    assert any(seen.path.endswith("/log") for seen in ours)
    assert all(set(seen.acting) == said and len(seen.acting) == len(said) for seen in ours)


def test_groups_without_a_name_are_refused_as_kubectl_does(scene: Scene, cluster: Cluster) -> None:
    log_in(cluster, token=TOKEN, **{"as-groups": ["ml"]})
    assert "nobody to act as" in scene.run(job("train-", "true")).fails(1)
    assert not cluster.requests
