"""The kinds an API server serves, and the discovery documents made from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

Object = dict[str, Any]
"""A Kubernetes object, as it is in JSON."""

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Kind(NamedTuple):
    """A resource: where it is in the API and what it is called."""

    group: str
    version: str
    name: str
    plural: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS

    @property
    def api_version(self) -> str:
        """What objects of this kind have as their apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """How messages call it: `jobs.batch`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified(self) -> str:
        """How messages about invalid objects call it: `Job.batch`, `Pod`."""
        return f"{self.name}.{self.group}" if self.group else self.name


def _kubeflow(name: str) -> Kind:
    return Kind("kubeflow.org", "v1", name, name.lower() + "s", subresources=("status",))


def _argo(name: str, plural: str, *short: str, namespaced: bool = True) -> Kind:
    return Kind("argoproj.io", "v1alpha1", name, plural, namespaced, short)


def _ray(name: str, plural: str) -> Kind:
    return Kind("ray.io", "v1", name, plural, subresources=("status",))


KINDS = (
    Kind("", "v1", "Namespace", "namespaces", False, ("ns",), ("status",)),
    Kind("", "v1", "Node", "nodes", False, ("no",), ("status",)),
    Kind("", "v1", "Pod", "pods", True, ("po",), ("status", "log")),
    Kind("", "v1", "ConfigMap", "configmaps", True, ("cm",)),
    Kind("", "v1", "Secret", "secrets"),
    Kind("", "v1", "Service", "services", True, ("svc",)),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", True, ("sa",)),
    Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", True, ("pvc",)),
    Kind("", "v1", "ResourceQuota", "resourcequotas", True, ("quota",), ("status",)),
    Kind("", "v1", "Event", "events", True, ("ev",)),
    Kind("batch", "v1", "Job", "jobs", subresources=("status",)),
    Kind("batch", "v1", "CronJob", "cronjobs", True, ("cj",), ("status",)),
    Kind("apps", "v1", "Deployment", "deployments", True, ("deploy",), ("status",)),
    Kind("apps", "v1", "StatefulSet", "statefulsets", True, ("sts",), ("status",)),
    Kind("apps", "v1", "DaemonSet", "daemonsets", True, ("ds",), ("status",)),
    Kind("apps", "v1", "ReplicaSet", "replicasets", True, ("rs",), ("status",)),
    _argo("Workflow", "workflows", "wf"),
    _argo("WorkflowTemplate", "workflowtemplates", "wftmpl"),
    _argo("ClusterWorkflowTemplate", "clusterworkflowtemplates", "cwft", namespaced=False),
    _argo("CronWorkflow", "cronworkflows", "cwf"),
    _kubeflow("PyTorchJob"),
    _kubeflow("TFJob"),
    _kubeflow("MPIJob"),
    Kind("trainer.kubeflow.org", "v1alpha1", "TrainJob", "trainjobs"),
    Kind("trainer.kubeflow.org", "v1alpha1", "TrainingRuntime", "trainingruntimes"),
    _ray("RayCluster", "rayclusters"),
    _ray("RayJob", "rayjobs"),
    Kind("batch.volcano.sh", "v1alpha1", "Job", "jobs", True, ("vcjob", "vj"), ("status",)),
    Kind("jobset.x-k8s.io", "v1alpha2", "JobSet", "jobsets", subresources=("status",)),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
    Kind(
        "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews",
        False, verbs=("create",),
    ),
    Kind(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions",
        False, ("crd",),
    ),
)  # fmt: skip


class Kinds:
    """The kinds that are there at the moment."""

    def __init__(self) -> None:
        """Begin with `KINDS`."""
        self._kinds = list(KINDS)

    def all(self) -> list[Kind]:
        """Return all that can be stored."""
        return [kind for kind in self._kinds if "list" in kind.verbs]

    def add(self, kind: Kind) -> None:
        """Serve one more."""
        self._kinds = [*(k for k in self._kinds if k != kind), kind]

    def remove_group(self, group: str) -> None:
        """Serve nothing of an API group any more, as if its operator was never installed."""
        self._kinds = [kind for kind in self._kinds if kind.group != group]

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind at a place in the API."""
        place = (group, version, plural)
        return next((k for k in self._kinds if (k.group, k.version, k.plural) == place), None)

    def named(self, name: str, group: str | None = None) -> Kind:
        """Return the kind by its name, plural or short name.

        Raises:
            KeyError: there is none.

        """
        for kind in self._kinds:
            names = (kind.name, kind.name.lower(), kind.plural, *kind.short)
            if name in names and group in (None, kind.group):
                return kind
        raise KeyError(name)

    def document(self, parts: list[str]) -> Object | None:
        """Return the discovery document at a path, split at its slashes, if there is one."""
        if parts == ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        if parts == ["apis"]:
            groups = [_group(name, self._kinds) for name in self._groups()]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        if parts[0] == "apis" and len(parts) == 2 and parts[1] in self._groups():
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], self._kinds)}
        group = parts[1] if len(parts) == 3 and parts[0] == "apis" else ""
        version = parts[-1]
        if parts not in (["api", version], ["apis", group, version]):
            return None
        kinds = [k for k in self._kinds if (k.group, k.version) == (group, version)]
        return _resources(kinds) if kinds else None

    def openapi(self, parts: list[str]) -> Object | None:
        """Return the little of OpenAPI that kubectl asks for: who checks fields."""
        places = {k.api_version: k for k in self._kinds}
        if parts == ["openapi", "v3"]:
            paths = {_root(kind): f"/openapi/v3/{_root(kind)}" for kind in places.values()}
            return {"paths": {p: {"serverRelativeURL": url} for p, url in paths.items()}}
        root = "/".join(parts[2:])
        kinds = [k for k in self._kinds if _root(k) == root]
        if not kinds:
            return None
        info = {"title": "Kubernetes", "version": "v1.33.0"}
        return {"openapi": "3.0.0", "info": info, "paths": dict(map(_openapi_path, kinds))}

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(kind.group for kind in self._kinds if kind.group))


def _root(kind: Kind) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def _openapi_path(kind: Kind) -> tuple[str, Object]:
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    gvk = {"group": kind.group, "kind": kind.name, "version": kind.version}
    operation = {
        "parameters": parameters,
        "responses": {},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": gvk,
    }
    return f"/{_root(kind)}{scope}/{kind.plural}/{{name}}", {"patch": operation}


def _group(name: str, kinds: Iterable[Kind]) -> Object:
    versions = dict.fromkeys(kind.version for kind in kinds if kind.group == name)
    documents = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": documents, "preferredVersion": documents[0]}


def _resources(kinds: list[Kind]) -> Object:
    resources: list[Object] = []
    for kind in kinds:
        common = {"namespaced": kind.namespaced, "kind": kind.name, "singularName": ""}
        resources.append(
            {
                **common,
                "name": kind.plural,
                "singularName": kind.name.lower(),
                "verbs": list(kind.verbs),
                "shortNames": list(kind.short),
                "categories": ["all"] if kind.name in ("Pod", "Job") else [],
            }
        )
        for sub in kind.subresources:
            verbs = ["get"] if sub == "log" else ["get", "patch", "update"]
            resources.append({**common, "name": f"{kind.plural}/{sub}", "verbs": verbs})
    version = kinds[0].api_version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": resources,
    }
