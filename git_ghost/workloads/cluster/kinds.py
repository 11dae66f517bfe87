"""The kinds git ghost knows: their paths in the API without asking the server, and their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote


class Resource(NamedTuple):
    """A kind as the API serves it."""

    group: str
    """Empty for the core group."""
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As ``apiVersion`` has it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "", part: str = "") -> str:
        """The path of the collection, of the object ``name``, or of a ``part`` such as ``log``."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        tail = "".join(f"/{quote(piece, safe='')}" for piece in (name, part) if piece)
        return f"{root}{place}/{self.plural}{tail}"

    def shown(self, name: str) -> str:
        """``job.batch/train-x7k2``, as kubectl prints and takes it."""
        group = f".{self.group}" if self.group else ""
        return f"{self.kind.lower()}{group}/{name}"


class _Known(NamedTuple):
    version: str
    """The one that is asked for when only the name of the kind is given."""
    plural: str
    short: str = ""
    namespaced: bool = True


_TABLE: Mapping[tuple[str, str], _Known] = {
    ("", "Pod"): _Known("v1", "pods", "po"),
    ("batch", "Job"): _Known("v1", "jobs"),
    ("batch", "CronJob"): _Known("v1", "cronjobs", "cj"),
    ("apps", "Deployment"): _Known("v1", "deployments", "deploy"),
    ("apps", "StatefulSet"): _Known("v1", "statefulsets", "sts"),
    ("apps", "DaemonSet"): _Known("v1", "daemonsets", "ds"),
    ("apps", "ReplicaSet"): _Known("v1", "replicasets", "rs"),
    ("argoproj.io", "Workflow"): _Known("v1alpha1", "workflows", "wf"),
    ("argoproj.io", "WorkflowTemplate"): _Known("v1alpha1", "workflowtemplates", "wftmpl"),
    ("argoproj.io", "ClusterWorkflowTemplate"): _Known(
        "v1alpha1", "clusterworkflowtemplates", "cwft", namespaced=False
    ),
    ("argoproj.io", "CronWorkflow"): _Known("v1alpha1", "cronworkflows", "cwf"),
    ("kubeflow.org", "PyTorchJob"): _Known("v1", "pytorchjobs"),
    ("kubeflow.org", "TFJob"): _Known("v1", "tfjobs"),
    ("kubeflow.org", "XGBoostJob"): _Known("v1", "xgboostjobs"),
    ("kubeflow.org", "PaddleJob"): _Known("v1", "paddlejobs"),
    ("kubeflow.org", "JAXJob"): _Known("v1", "jaxjobs"),
    ("kubeflow.org", "MPIJob"): _Known("v2beta1", "mpijobs"),
    ("trainer.kubeflow.org", "TrainJob"): _Known("v1alpha1", "trainjobs"),
    ("trainer.kubeflow.org", "TrainingRuntime"): _Known("v1alpha1", "trainingruntimes"),
    ("trainer.kubeflow.org", "ClusterTrainingRuntime"): _Known(
        "v1alpha1", "clustertrainingruntimes", namespaced=False
    ),
    ("ray.io", "RayCluster"): _Known("v1", "rayclusters"),
    ("ray.io", "RayJob"): _Known("v1", "rayjobs"),
    ("ray.io", "RayService"): _Known("v1", "rayservices"),
    ("batch.volcano.sh", "Job"): _Known("v1alpha1", "jobs", "vcjob"),
    ("jobset.x-k8s.io", "JobSet"): _Known("v1alpha2", "jobsets"),
    ("", "Namespace"): _Known("v1", "namespaces", "ns", namespaced=False),
    ("", "ServiceAccount"): _Known("v1", "serviceaccounts", "sa"),
    ("", "ConfigMap"): _Known("v1", "configmaps", "cm"),
    ("", "Secret"): _Known("v1", "secrets"),
    ("", "Service"): _Known("v1", "services", "svc"),
    ("", "PersistentVolumeClaim"): _Known("v1", "persistentvolumeclaims", "pvc"),
    ("", "PersistentVolume"): _Known("v1", "persistentvolumes", "pv", namespaced=False),
    ("", "ReplicationController"): _Known("v1", "replicationcontrollers", "rc"),
    ("", "LimitRange"): _Known("v1", "limitranges", "limits"),
    ("", "ResourceQuota"): _Known("v1", "resourcequotas", "quota"),
    ("rbac.authorization.k8s.io", "Role"): _Known("v1", "roles"),
    ("rbac.authorization.k8s.io", "RoleBinding"): _Known("v1", "rolebindings"),
    ("rbac.authorization.k8s.io", "ClusterRole"): _Known("v1", "clusterroles", namespaced=False),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _Known(
        "v1", "clusterrolebindings", namespaced=False
    ),
    ("networking.k8s.io", "NetworkPolicy"): _Known("v1", "networkpolicies", "netpol"),
    ("networking.k8s.io", "Ingress"): _Known("v1", "ingresses", "ing"),
    ("policy", "PodDisruptionBudget"): _Known("v1", "poddisruptionbudgets", "pdb"),
    ("scheduling.k8s.io", "PriorityClass"): _Known(
        "v1", "priorityclasses", "pc", namespaced=False
    ),
}  # fmt: skip

POD = Resource("", "v1", "Pod", "pods")
EVENT = Resource("", "v1", "Event", "events")

_FIRST = (
    "CustomResourceDefinition", "Namespace", "PriorityClass", "NetworkPolicy", "ResourceQuota",
    "LimitRange", "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding",
    "ConfigMap", "Secret", "PersistentVolume", "PersistentVolumeClaim", "Service", "Ingress",
)  # fmt: skip
"""What others refer to, in the order it is created; what is not here comes next, pods last."""


def creation_rank(kind: str, has_pods: bool) -> int:
    """Where an object stands in the order of creation: what runs needs the rest to be there."""
    if has_pods:
        return len(_FIRST) + 1
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def split_api_version(api_version: str) -> tuple[str, str]:
    """Group and version of an ``apiVersion``."""
    group, _, version = api_version.rpartition("/")
    return group, version


def known(api_version: str, kind: str) -> Resource | None:
    """The resource of an object, if its kind is in the table."""
    group, version = split_api_version(api_version)
    found = _TABLE.get((group, kind))
    return found and Resource(group, version, kind, found.plural, found.namespaced)


def known_by_name(word: str) -> Resource | None:
    """The resource a user's word names: ``job``, ``jobs``, ``wf``, ``Workflow.argoproj.io``."""
    name, _, group = word.lower().partition(".")
    for (its_group, kind), entry in _TABLE.items():
        names = (kind.lower(), entry.plural, entry.short)
        if name in names and (not group or group == its_group or group.endswith("." + its_group)):
            return Resource(its_group, entry.version, kind, entry.plural, entry.namespaced)
    return None


def resource_of(data: Mapping[str, Any]) -> Resource:
    """The resource of an object, its plural guessed as the API's own rule has it if need be."""
    api_version, kind = str(data.get("apiVersion", "")), str(data.get("kind", ""))
    group, version = split_api_version(api_version)
    return known(api_version, kind) or Resource(group, version, kind, _plural(kind.lower()))


def _plural(kind: str) -> str:
    if kind.endswith(("s", "x", "ch", "sh")):
        return kind + "es"
    if kind.endswith("y") and kind[-2:-1] not in "aeiou":
        return kind[:-1] + "ies"
    return kind + "s"
