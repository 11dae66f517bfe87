"""What happens to a new object before it is stored: defaults, queues, quotas, accounts."""

from __future__ import annotations

import uuid

from tests.support.cluster import podsecurity, status
from tests.support.cluster.faults import Faults
from tests.support.cluster.kinds import Kind, Kinds, Object
from tests.support.cluster.store import Store

QUEUE = "kueue.x-k8s.io/queue-name"


class Admission:
    """Completes and refuses new objects."""

    def __init__(self, store: Store, kinds: Kinds, faults: Faults) -> None:
        """Look at what is in `store`."""
        self._store = store
        self._kinds = kinds
        self._faults = faults

    def mutate(self, kind: Kind, obj: Object) -> None:
        """Fill in what the user left out."""
        if kind.resource == "pods":
            _pod_defaults(obj["spec"])
            obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
        elif kind.resource == "jobs.batch":
            if self._faults.kueue and QUEUE in (obj["metadata"].get("labels") or {}):
                obj["spec"]["suspend"] = True
            _job_defaults(obj)
        elif kind.resource == "namespaces":
            obj["status"] = {"phase": "Active"}
        elif kind.resource == "secrets":
            _secret_defaults(obj)

    def check(self, kind: Kind, namespace: str, obj: Object) -> list[str]:
        """Let the object in, and return warnings.

        Raises:
            ApiError: the namespace, a quota or the service account is in the way.

        """
        name = obj["metadata"].get("name") or obj["metadata"].get("generateName", "")
        if kind.namespaced:
            self._check_namespace(kind, namespace, name)
            self._check_quota(kind, namespace, name)
        if kind.resource == "pods":
            self._check_account(kind, namespace, name, obj["spec"])
        return self._check_security(kind, namespace, name, obj) if kind.namespaced else []

    def _check_security(self, kind: Kind, namespace: str, name: str, obj: Object) -> list[str]:
        found = self._store.get(self._kinds.named("Namespace"), "", namespace)
        level = (found["metadata"].get("labels") or {}).get(podsecurity.LABEL)
        spec = obj.get("spec", {})
        if kind.resource != "pods":
            spec = spec.get("template", {}).get("spec") if kind.group in ("batch", "apps") else None
        problems = podsecurity.violations(spec) if level == "restricted" and spec else ""
        if problems and kind.resource == "pods":
            why = f'violates PodSecurity "restricted:latest": {problems}'
            raise status.denied(kind, name, why)
        return [f'would violate PodSecurity "restricted:latest": {problems}'] if problems else []

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        found = self._store.get(self._kinds.named("Namespace"), "", namespace)
        if "deletionTimestamp" in found["metadata"]:
            why = (
                f"unable to create new content in namespace {namespace}"
                " because it is being terminated"
            )
            raise status.denied(kind, name, why)

    def _check_quota(self, kind: Kind, namespace: str, name: str) -> None:
        counted = {f"count/{kind.resource}", kind.resource}
        for quota in self._store.all(self._kinds.named("ResourceQuota"), namespace):
            for key, limit in (quota.get("spec", {}).get("hard") or {}).items():
                used = len(self._store.all(kind, namespace))
                if key in counted and used + 1 > int(limit):
                    why = (
                        f"exceeded quota: {quota['metadata']['name']}, requested: {key}=1,"
                        f" used: {key}={used}, limited: {key}={limit}"
                    )
                    raise status.denied(kind, name, why)

    def _check_account(self, kind: Kind, namespace: str, name: str, spec: Object) -> None:
        account = spec["serviceAccountName"]
        if account != "default" and not self._store.find(
            self._kinds.named("ServiceAccount"), namespace, account
        ):
            why = (
                f"error looking up service account {namespace}/{account}:"
                f' serviceaccount "{account}" not found'
            )
            raise status.denied(kind, name, why)


def _pod_defaults(spec: Object) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("securityContext", {})
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        container.setdefault("terminationMessagePolicy", "File")
        container.setdefault("imagePullPolicy", "IfNotPresent")
        container.setdefault("resources", {})


def _job_defaults(job: Object) -> None:
    spec = job["spec"]
    if "parallelism" not in spec and "completions" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    labels = {"batch.kubernetes.io/controller-uid": str(uuid.uuid4())}
    spec["selector"] = {"matchLabels": labels}
    meta = spec.setdefault("template", {}).setdefault("metadata", {})
    name = {"batch.kubernetes.io/job-name": "", "job-name": ""}
    uid = {"controller-uid": labels["batch.kubernetes.io/controller-uid"]}
    meta["labels"] = {**(meta.get("labels") or {}), **labels, **uid, **name}
    pod = spec["template"].setdefault("spec", {})
    policy = pod.get("restartPolicy")
    _pod_defaults(pod)
    if policy is None:
        del pod["restartPolicy"]  # has to be said in a Job
    job["status"] = {}


def name_job(job: Object) -> None:
    """Put the name of a Job, which may have been generated, on its pods."""
    labels = job["spec"]["template"]["metadata"]["labels"]
    labels["batch.kubernetes.io/job-name"] = labels["job-name"] = job["metadata"]["name"]


def _secret_defaults(secret: Object) -> None:
    import base64

    secret.setdefault("type", "Opaque")
    for key, value in (secret.pop("stringData", None) or {}).items():
        encoded = base64.b64encode(value.encode()).decode()
        secret.setdefault("data", {})[key] = encoded
