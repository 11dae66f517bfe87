"""What is known of each kind of Kubernetes object: one row per kind.

A kind is its API group and its name (Volcano's kind is called ``Job`` too). What is said of the
fields of a kind comes from its own API reference, what is said of queues from Kueue's
(https://kueue.sigs.k8s.io/docs/tasks/run).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Path = tuple[str, ...]
"""Keys from the object down; ``[]`` is every item of a list, ``*`` every value of a mapping, and a
key with a ``?`` at its end may be missing."""

ARGO = "argoproj.io"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""Names Kueue's queue, in the metadata of what it admits."""


class Verdict(NamedTuple):
    """A field of the status that tells how an object ended."""

    at: Path
    """Where it is, below ``status``."""
    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    unless: str = ""
    """A field of ``spec`` that, where it is set, makes ``bad`` one try of several."""


@dataclass(frozen=True)
class Kind:
    """A row of the table."""

    group: str
    """The API group; empty for the core group."""
    name: str
    version: str = "v1"
    """The version to ask for when only the kind is named."""
    short: str = ""
    """The short name ``kubectl`` knows it by."""
    namespaced: bool = True
    irregular: str = ""
    """The plural, where it does not follow the rule."""

    shared: bool = False
    """Whether one that is there already may serve several runs."""

    templates: tuple[Path, ...] = ()
    """Where its pod templates are: what holds their ``spec`` and ``metadata``."""
    implied: tuple[str, ...] = ()
    """The container of each of the pod templates that its operator adds where there is none."""
    unnamed: bool = False
    """Whether its only container needs no name."""
    bare: tuple[Path, ...] = ()
    """Where pod specs are that have no metadata beside them: their pods get the object's own. What
    has no containers there runs no code of the user's."""
    wraps: Path = ()
    """Where whole objects are that it creates."""
    steps: Path = ()
    """Where the spec of an Argo workflow is, whose ``templates`` become pods."""
    refers: Path = ()
    """Where it names the object that has the pod templates it lacks."""
    lacking: str = ""
    """What to do when it has no pod template."""
    volumes: Path = ()
    """What gives volumes to all its pods besides the templates."""
    arguments: Path = ()
    """Where the parameters of an Argo workflow go."""
    command: Path = ()
    """What replaces the command of a container in the object it refers to."""
    entrypoint: str = ""
    """What says what it runs, instead of the command of a container."""

    initializers: tuple[str, ...] = ()
    """Containers that fetch data for the others, and run no code of the user's."""

    later: bool = False
    """Whether its pods start later: by the clock, or when another object refers to it."""
    changing: bool = False
    """Whether its pod template may be another one than that of the pods that run."""
    serves: bool = False
    """Whether it runs until somebody deletes it."""
    replicas: tuple[Path, ...] | None = None
    """Fields that say how many pods there are, 1 where they are missing: the largest counts (of one
    path, the sum). None: there may be several."""
    verdicts: tuple[Verdict, ...] = ()
    """How it ends, the first that applies; empty: the conditions of its status tell."""
    waiting: tuple[str, ...] = ()
    """Values of ``status.state.phase`` that mean it waits in the queue ``spec.queue``."""

    queued: tuple[Path, ...] = (("metadata",),)
    """The metadata of what Kueue admits."""
    unqueued: str = ""
    """Why Kueue has no queue for it, and what to do instead."""

    labels: tuple[str, ...] = ()
    """The labels of its pods whose value is its name."""
    helpers: str = ""
    """The same, of pods that do a part of the work and cannot bear labels of ours."""
    places: tuple[str, ...] = ()
    """Labels and annotations that a pod has in common with the one that takes over from it."""

    @property
    def plural(self) -> str:
        """Its name in the paths of the API."""
        return self.irregular or plural(self.name.lower())

    @property
    def has_templates(self) -> bool:
        """Whether its objects have pod templates of their own."""
        return bool(self.templates or self.bare or self.wraps or self.steps)


def plural(kind: str) -> str:
    """The plural of a kind, in lower case, by the rule of the API's own code generators."""
    if kind.endswith(("s", "x", "ch", "sh")):
        return kind + "es"
    if kind.endswith("y") and kind[-2:-1] not in "aeiou":
        return kind[:-1] + "ies"
    return kind + "s"


# --- what runs -----------------------------------------------------------------------------------

_TEMPLATE: Path = ("spec", "template")
_OF_PODS: Path = ("spec", "template", "metadata")
_OWN: Path = ("metadata",)
_REPLICAS: tuple[Path, ...] = (("spec", "replicas"),)
_JOB_NAMES = ("batch.kubernetes.io/job-name", "job-name")
_SUCCEEDED = Verdict(("phase",), good=("Succeeded",), bad=("Failed", "Error"))

POD = Kind("", "Pod", short="po", templates=((),), replicas=(), verdicts=(_SUCCEEDED,))
_KUBERNETES = (
    POD,
    Kind(
        "batch", "Job", templates=(_TEMPLATE,), labels=_JOB_NAMES,
        replicas=(("spec", "parallelism"), ("spec", "completions")),
        places=("batch.kubernetes.io/job-completion-index",),
    ),
    Kind(
        "batch", "CronJob", short="cj", templates=(("spec", "jobTemplate", "spec", "template"),),
        later=True, changing=True, queued=(("spec", "jobTemplate", "metadata"),),
    ),
    Kind(
        "apps", "Deployment", short="deploy", templates=(_TEMPLATE,), replicas=_REPLICAS,
        changing=True, serves=True,
    ),
    Kind(
        "apps", "StatefulSet", short="sts", templates=(_TEMPLATE,), volumes=("spec",),
        replicas=_REPLICAS, changing=True, serves=True,
    ),
    Kind(
        "apps", "DaemonSet", short="ds", templates=(_TEMPLATE,), changing=True, serves=True,
        unqueued="Without --queue its pods start at once, one on every node.",
    ),
    Kind(
        "apps", "ReplicaSet", short="rs", templates=(_TEMPLATE,), replicas=_REPLICAS, serves=True,
        queued=(_OF_PODS,),
    ),
    Kind(
        "", "ReplicationController", short="rc", templates=(_TEMPLATE,), serves=True,
        queued=(_OF_PODS,),
    ),
    Kind(
        "", "PodTemplate", templates=(("template",),), later=True,
        unqueued="What is made of it waits in a queue, not the template.",
    ),
)  # fmt: skip


def _argo(name: str, short: str, queued: tuple[Path, ...], **more: object) -> Kind:
    spec: Path = ("spec", "workflowSpec") if name == "CronWorkflow" else ("spec",)
    row = {"steps": spec, "volumes": spec, "refers": (*spec, "workflowTemplateRef")} | more
    return Kind(ARGO, name, "v1alpha1", short=short, queued=queued, **row)  # type: ignore[arg-type]


_POD_METADATA: Path = ("spec", "podMetadata")
_ARGO = (
    _argo(
        "Workflow", "wf", (_OWN, _POD_METADATA), arguments=("spec",), verdicts=(_SUCCEEDED,),
        labels=("workflows.argoproj.io/workflow",),
    ),
    _argo("WorkflowTemplate", "wftmpl", (_POD_METADATA,), later=True),
    _argo("ClusterWorkflowTemplate", "cwft", (_POD_METADATA,), later=True, namespaced=False),
    _argo(
        "CronWorkflow", "cwf",
        (("spec", "workflowMetadata"), ("spec", "workflowSpec", "podMetadata")),
        arguments=("spec", "workflowSpec"), later=True,
    ),
)  # fmt: skip

_JOB_SET: Path = ("spec", "replicatedJobs", "[]", "template", "spec", "template")
_JOB_SET_NAME = ("jobset.sigs.k8s.io/jobset-name",)
_JOB_SETS = (
    Kind(
        "jobset.x-k8s.io", "JobSet", "v1alpha2", templates=(_JOB_SET,), labels=_JOB_SET_NAME,
        places=("jobset.sigs.k8s.io/replicatedjob-name", "jobset.sigs.k8s.io/job-index"),
    ),
)  # fmt: skip


def _kubeflow(name: str, key: str, version: str = "v1") -> Kind:
    replicas: Path = ("spec", f"{key}ReplicaSpecs", "*")
    return Kind(
        "kubeflow.org", name, version,
        templates=((*replicas, "template"),), replicas=((*replicas, "replicas"),),
        labels=("training.kubeflow.org/job-name",),
        places=("training.kubeflow.org/replica-type", "training.kubeflow.org/replica-index"),
    )  # fmt: skip


_INITIALIZERS = ("dataset-initializer", "model-initializer")
"""What Kubeflow Trainer calls their containers (its pkg/constants)."""


def _runtime(name: str, *, namespaced: bool = True) -> Kind:
    return Kind(
        "trainer.kubeflow.org", name, "v1alpha1", namespaced=namespaced, later=True,
        templates=(("spec", "template", *_JOB_SET),), initializers=_INITIALIZERS,
        unqueued="The TrainJob that refers to it waits in a queue: give both together.",
    )  # fmt: skip


_KUBEFLOW = (
    _kubeflow("PyTorchJob", "pytorch"),
    _kubeflow("TFJob", "tf"),
    _kubeflow("XGBoostJob", "xgb"),
    _kubeflow("PaddleJob", "paddle"),
    _kubeflow("JAXJob", "jax"),
    _kubeflow("MXJob", "mx"),
    _kubeflow("MPIJob", "mpi", "v2beta1"),
    Kind(
        "trainer.kubeflow.org", "TrainJob", "v1alpha1", refers=("spec", "runtimeRef"),
        command=("spec", "trainer"), labels=_JOB_SET_NAME,
        lacking="Inject into the TrainingRuntime (or ClusterTrainingRuntime) that its runtimeRef"
        " names. Both can be given together.",
    ),
    _runtime("TrainingRuntime"),
    _runtime("ClusterTrainingRuntime", namespaced=False),
)  # fmt: skip


def _cluster(*spec: str) -> tuple[Path, ...]:
    """The pod templates of a Ray cluster, which may be its head alone."""
    workers = ("workerGroupSpecs?", "[]", "template")
    return (*spec, "headGroupSpec", "template"), (*spec, *workers)


def _ray_job(*spec: str) -> tuple[Path, ...]:
    return *_cluster(*spec, "rayClusterSpec"), (*spec, "submitterPodTemplate?")


_RAY_LABELS = ("ray.io/cluster", "ray.io/originated-from-cr-name")
_RAY = (
    Kind("ray.io", "RayCluster", templates=_cluster("spec"), labels=_RAY_LABELS, serves=True),
    Kind(
        "ray.io", "RayJob", templates=_ray_job("spec"), labels=_RAY_LABELS,
        entrypoint="entrypoint",
        lacking="It runs in a Ray cluster that is there already: inject into that RayCluster.",
        # Its entrypoint prints in the pod of a Job that hands it in, which has the RayJob's name
        # (KubeRay: RayJobK8sJobNamespacedName).
        helpers=_JOB_NAMES[0],
        verdicts=(
            Verdict(("jobDeploymentStatus",), bad=("Failed", "ValidationFailed")),
            Verdict(("jobStatus",), good=("SUCCEEDED",)),
            Verdict(("jobStatus",), bad=("FAILED", "STOPPED"), unless="backoffLimit"),
            Verdict(("jobDeploymentStatus",), bad=("Complete",)),
        ),
    ),
    Kind(
        "ray.io", "RayCronJob", templates=_ray_job("spec", "jobTemplate"), later=True,
        entrypoint="entrypoint",
        labels=("ray.io/cronjob-name",), unqueued="The RayJobs it makes have no labels of yours.",
    ),
    Kind(
        "ray.io", "RayService", templates=_cluster("spec", "rayClusterConfig"), labels=_RAY_LABELS,
        serves=True,
    ),
)  # fmt: skip

_TASKS: Path = ("spec", "tasks", "[]", "template")
_OWN_QUEUE = "Volcano's own queue is spec.queue in the manifest."
_VOLCANO = (
    Kind(
        "batch.volcano.sh", "Job", "v1alpha1", short="vcjob",
        templates=(_TASKS,), labels=("volcano.sh/job-name",),
        places=("volcano.sh/task-spec", "volcano.sh/task-index"), waiting=("Pending", "Inqueue"),
        verdicts=(
            Verdict(("state", "phase"), ("Completed",), ("Failed", "Aborted", "Terminated")),
        ),
        unqueued=_OWN_QUEUE,
    ),
    Kind(
        "batch.volcano.sh", "CronJob", "v1alpha1", short="cronvcjob",
        templates=(("spec", "jobTemplate", *_TASKS),), later=True, changing=True,
        unqueued=_OWN_QUEUE,
    ),
    Kind(
        "flow.volcano.sh", "JobTemplate", "v1alpha1", short="jt", templates=(_TASKS,), later=True,
        unqueued=_OWN_QUEUE,
    ),
)  # fmt: skip


def _spark(name: str, short: str, *spec: str, **more: object) -> Kind:
    templates = ((*spec, "driver", "template"), (*spec, "executor", "template"))
    return Kind(
        "sparkoperator.k8s.io", name, "v1beta2", short, templates=templates,
        implied=("spark-kubernetes-driver", "spark-kubernetes-executor"),
        entrypoint="mainApplicationFile",
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


_SPARK = (
    _spark(
        "SparkApplication", "sparkapp", "spec", labels=("sparkoperator.k8s.io/app-name",),
        verdicts=(Verdict(("applicationState", "state"), ("COMPLETED",), ("FAILED",)),),
    ),
    _spark(
        "ScheduledSparkApplication", "scheduledsparkapp", "spec", "template", later=True,
        unqueued="Its queue is spec.template.batchSchedulerOptions.queue in the manifest.",
    ),
)  # fmt: skip

_UNQUEUED = "Without --queue it starts at once."
_SERVING = (
    Kind(
        "leaderworkerset.x-k8s.io", "LeaderWorkerSet", short="lws", serves=True, changing=True,
        templates=(
            ("spec", "leaderWorkerTemplate", "leaderTemplate?"),
            ("spec", "leaderWorkerTemplate", "workerTemplate"),
        ),
        volumes=("spec", "leaderWorkerTemplate"), labels=("leaderworkerset.sigs.k8s.io/name",),
    ),
    Kind(
        ARGO, "Rollout", "v1alpha1", short="ro", templates=(_TEMPLATE,), replicas=_REPLICAS,
        changing=True, serves=True, unqueued=_UNQUEUED,
        lacking="With a workloadRef its pods are those of the object named there: inject into it.",
    ),
    Kind(
        "serving.knative.dev", "Service", short="ksvc", templates=(_TEMPLATE,), serves=True,
        unnamed=True,
        changing=True, labels=("serving.knative.dev/service",), unqueued=_UNQUEUED,
    ),
    Kind(
        "serving.kserve.io", "InferenceService", "v1beta1", short="isvc", serves=True,
        bare=(
            ("spec", "predictor"), ("spec", "predictor", "workerSpec?"),
            ("spec", "transformer?"), ("spec", "explainer?"),
        ),
        changing=True, labels=("serving.kserve.io/inferenceservice",), unqueued=_UNQUEUED,
        lacking="What serves a model with a container of KServe's own runs no code of yours.",
    ),
    Kind(
        "kubeflow.org", "Notebook", bare=(("spec", "template", "spec"),), serves=True,
        replicas=(), changing=True, labels=("notebook-name",), unqueued=_UNQUEUED,
    ),
    Kind(
        "agents.x-k8s.io", "Sandbox", "v1beta1", templates=(("spec", "podTemplate"),),
        volumes=("spec",), serves=True, replicas=(), unqueued=_UNQUEUED,
    ),
    Kind(
        "extensions.agents.x-k8s.io", "SandboxTemplate", "v1beta1",
        templates=(("spec", "podTemplate"),), volumes=("spec",), later=True, changing=True,
        unqueued=_UNQUEUED,
    ),
)  # fmt: skip

_WRAPPERS = (
    Kind(
        "workload.codeflare.dev", "AppWrapper", "v1beta2", verdicts=(_SUCCEEDED,),
        wraps=("spec", "components", "[]", "template"),
        labels=("workload.codeflare.dev/appwrapper",),
    ),
)  # fmt: skip

# --- what runs refers to -------------------------------------------------------------------------

_RBAC = "rbac.authorization.k8s.io"
_FIRST = (
    Kind("apiextensions.k8s.io", "CustomResourceDefinition", short="crd", namespaced=False),
    Kind("", "Namespace", short="ns", namespaced=False, shared=True),
    Kind("scheduling.k8s.io", "PriorityClass", short="pc", namespaced=False, shared=True),
    Kind("networking.k8s.io", "NetworkPolicy", short="netpol", shared=True),
    Kind("", "ResourceQuota", short="quota", shared=True),
    Kind("", "LimitRange", short="limits", shared=True),
    Kind("", "ServiceAccount", short="sa", shared=True),
    Kind(_RBAC, "Role", shared=True),
    Kind(_RBAC, "ClusterRole", namespaced=False, shared=True),
    Kind(_RBAC, "RoleBinding", shared=True),
    Kind(_RBAC, "ClusterRoleBinding", namespaced=False, shared=True),
    Kind("", "ConfigMap", short="cm", shared=True),
    Kind("", "Secret", shared=True),
    Kind("", "PersistentVolume", short="pv", namespaced=False, shared=True),
    Kind("", "PersistentVolumeClaim", short="pvc", shared=True),
    Kind("", "Service", short="svc", shared=True),
    Kind("networking.k8s.io", "Ingress", short="ing"),
)
"""Kinds that others refer to, in the order their objects are created."""

_KUEUE = "kueue.x-k8s.io"
_OTHERS = (
    Kind("policy", "PodDisruptionBudget", short="pdb"),
    Kind("autoscaling", "HorizontalPodAutoscaler", "v2", short="hpa"),
    Kind("networking.k8s.io", "IngressClass", namespaced=False),
    Kind("storage.k8s.io", "StorageClass", short="sc", namespaced=False),
    Kind("", "Endpoints", irregular="endpoints", short="ep"),
    Kind("", "Event", short="ev"),
    Kind(_KUEUE, "LocalQueue", "v1beta1"),
    Kind(_KUEUE, "ClusterQueue", "v1beta1", namespaced=False),
    Kind(_KUEUE, "ResourceFlavor", "v1beta1", namespaced=False),
    Kind(_KUEUE, "Workload", "v1beta1"),
)
"""Other kinds that have no pods."""

_RANKS = {(kind.group, kind.name): rank for rank, kind in enumerate(_FIRST)}
_TABLE: Mapping[tuple[str, str], Kind] = {
    (kind.group, kind.name): kind
    for kinds in (
        _KUBERNETES, _ARGO, _KUBEFLOW, _RAY, _VOLCANO, _JOB_SETS, _SPARK, _WRAPPERS, _FIRST,
        _OTHERS, _SERVING,
    )
    for kind in kinds
}  # fmt: skip


PLACES = tuple(dict.fromkeys(place for kind in _TABLE.values() for place in kind.places))
"""The labels and annotations that say what a pod does among those of its object, of all kinds."""


def every() -> Iterator[Kind]:
    """All kinds; where two have the same name, the better known one comes first."""
    yield from _TABLE.values()


def find(group: str, name: str) -> Kind | None:
    """The row of a kind; None for one that is not in the table."""
    return _TABLE.get((group, name))


def of(data: Mapping[str, object]) -> Kind | None:
    """The row of an object's kind; None for one that is not in the table."""
    group, _ = split_api_version(str(data.get("apiVersion") or ""))
    return find(group, str(data.get("kind")))


def split_api_version(api_version: str) -> tuple[str, str]:
    """Group and version of an ``apiVersion``."""
    group, _, version = api_version.rpartition("/")
    return group, version


def creation_rank(kind: Kind | None, *, runs: bool) -> int:
    """Where an object stands in the order of creation: what ``runs`` needs the rest to be there."""
    last = len(_FIRST)
    if runs:
        return last + 1
    return _RANKS.get((kind.group, kind.name), last) if kind else last
