"""Every limit that a user can meet, by name. Client and gateway hold to the same ones."""

from dataclasses import dataclass

NAMESPACE_CHARACTERS = 64
KEY_CHARACTERS = 250
"""Keys of params, tags and metrics."""
TEXT_BYTES = 16_384
"""Values of text params and tags, UTF-8."""
EXPERIMENT_TEXT_BYTES = 80_000
"""Values of an experiment's tags, UTF-8: 20,000 characters of any script."""
RUN_NAME_CHARACTERS = 500
USER_CHARACTERS = 200
EXPERIMENT_NAME_CHARACTERS = 500
PARAMS_PER_EVENT = 2_000
TAGS_PER_EVENT = 2_000
COLUMNS_PER_EVENT = 10_000
POINTS_PER_EVENT = 1_000_000
EVENTS_PER_FRAME = 10_000
RUNS_PER_IMPORT = 10_000
"""Runs in one table that is imported."""
FRAME_BYTES = 4 * 1024 * 1024
"""Encoded size of a frame. Kafka's limit is set to this and a little more."""
RUNS_PER_UPDATE = 1_000
"""Runs that one request changes."""
UPDATE_BYTES = 16 * 1024 * 1024
"""Encoded size of all that one request writes of the runs that it changes."""
LOST_SECONDS = 300.0
"""Without a word of its writers a run is lost, unless the settings say another time."""
FRAMES_PER_REQUEST = 64
"""Frames that travel in one request: the cost of a gRPC message is shared, and a gateway's others wait milliseconds."""
REQUEST_BYTES = FRAME_BYTES
"""Encoded size of a request of several frames."""
INTENT_BYTES = 256 * 1024
"""Encoded size of what is asked of an experiment: its tags travel with every answer about it."""
REGISTRY_INTENT_BYTES = 1024 * 1024
"""Encoded size of what is asked of a registered model."""
MODEL_NAME_CHARACTERS = 500
MODEL_TEXT_CHARACTERS = 100_000
"""Descriptions of models and versions, and values of their tags."""
MODEL_STATE_BYTES = 1024 * 1024
"""Description and tags of one model or one version together, UTF-8: every change keeps the whole."""
MODEL_URI_CHARACTERS = 4_096
"""Sources and links of a version."""
MODEL_ID_CHARACTERS = 200
"""Git commits, ids of logged models and of runs of other systems."""
MODEL_STATUS_CHARACTERS = 4_096
"""Why a logged model has its status."""
MODEL_COMMENT_CHARACTERS = 10_000
ALIAS_CHARACTERS = 250
ALIASES_PER_MODEL = 100
ALIASES_PER_REQUEST = 100
"""Aliases that a new version gets, and that a policy names."""
DOCUMENTS_BYTES = 2 * 1024 * 1024
"""Encoded size of a request that puts documents."""
DOCUMENTS_PER_REQUEST = 1_000
"""Documents that a request puts, and that a read names."""
DOCUMENT_ID_CHARACTERS = 250
DOCUMENT_KEY_CHARACTERS = 1_000
TOKENS = 10_000
"""Tokens of a server that are not revoked: every process holds them all."""
GRANTS = 100
"""Grants of a token."""
WEBHOOKS = 100
"""Webhooks of a namespace."""
WEBHOOK_EVENTS = 100
WEBHOOK_URL_CHARACTERS = 2_048
WEBHOOK_SECRET_CHARACTERS = 1_000
MESSAGE_BYTES = 8 * 1024 * 1024
"""gRPC's limit of a message; what is above it never reaches the gateway's code."""
BRANCH_DEPTH = 100
"""Runs that a branch has points of: it goes on from one that goes on from another, and so on."""
METRICS_PER_RUN = 100_000
"""Distinct metric keys of a run."""
PARAMS_PER_RUN = 10_000
TAGS_PER_RUN = 10_000
"""Distinct tags that a run ever had: one that is deleted is not given back."""
DATASETS_PER_RUN = 1_000
MODELS_PER_RUN = 1_000
"""Logged models that a run read or made."""
MODEL_METRICS = 1_000
"""Points that a logged model shows, the latest ones."""
DATASET_NAME_CHARACTERS = 500
DATASET_DIGEST_CHARACTERS = 200
DATASET_LABEL_CHARACTERS = 250
"""What a dataset is read for, and of what kind its source is."""
ARTIFACT_LOCATION_BYTES = 2_048
"""URI where somebody keeps an experiment's artifacts, UTF-8."""
DATASET_TAG_CHARACTERS = 255
"""Keys of tags of a dataset of a run."""
DATASET_TAGS = 100
"""Tags of a dataset of a run."""
DATASET_TEXT_BYTES = 65_536
"""Source, schema and profile of a dataset, each, UTF-8."""
REASON_CHARACTERS = 64
"""Characters of a reason such as BUFFER_FULL."""
LOSS_REASONS = 64
"""Distinct reasons that one writer tells losses under, and that are kept of one frame; further ones become OTHER."""
RESPONSE_BYTES = 64 * 1024 * 1024
"""Encoded size of an answer."""
PAGE_BYTES = 4_000_000
"""About the most that a page of runs has, so that a client of gRPC's own defaults (4 MiB) can read it."""
ARTIFACT_PATH_BYTES = 1_024
INLINE_ARTIFACT_BYTES = 1024 * 1024
"""Artifacts up to this size travel as events."""
CHUNK_BYTES = 1024 * 1024
"""Pieces of artifact uploads and downloads."""
ARTIFACT_BYTES = 5 * 1024**4
MIN_TIME_MILLIS = 0
MIN_END_MILLIS = -2_208_988_800_000
"""Earliest end of a run that is set from outside: 1900. MLflow takes any, and clocks that are wrong have been."""
MAX_TIME_MILLIS = 9_000_000_000_000
"""Times are Unix milliseconds from 1970 to 2255: inside ClickHouse's DateTime64(3)."""
FILTER_CHARACTERS = 100_000
FILTER_CLAUSES = 1_000
FILTER_VALUES = 5_000
"""Names, numbers and texts in a filter, those of IN lists included."""
FILTER_SIGNS = 1_000
"""Signs of calculations in a filter."""
FILTER_DEPTH = 100
FILTER_LOOKUPS = 100
"""Parts of a filter that are looked up by themselves; each costs the warehouse about a millisecond to plan."""
FILTER_TERMS = 16
"""Names in one calculation."""
FILTER_PATTERNS = 20
"""ILIKE and MATCHES in a filter."""
FILTER_PATTERN_CHARACTERS = 1_000
"""Characters of a pattern of LIKE, ILIKE or MATCHES."""
FILTER_PATTERN_SIZE = 1_300
"""Instructions of all patterns of a filter together, as RE2 compiles them: each may be worked through for every byte of
every value. A counted repetition is as many copies of what it repeats."""
FACET_TEXT_CHARACTERS = 250
"""Characters that listed keys and values are to contain."""
FILTER_WINDOWS = 10
"""Windows in a filter that read points."""
FILTER_POINTS = 100_000_000
"""Points that the windows of a filter may read."""
ORDER_BY_KEYS = 8
READ_MASK_ITEMS = 1_000
EXPERIMENTS_PER_SEARCH = 1_000
"""Numbers, and as many names."""
OBJECTIVES = 8
"""Maximum objectives of one selection."""
GROUP_KEYS = 8
"""Maximum keys that runs are grouped by in one selection."""
SELECTED_RUNS = 1_000
"""Groups of a selection, and runs that it names in all of them together."""
PAGE_SIZE = 1_000
RUNS_PER_READ = 1_000
KEYS_PER_READ = 100
BUCKETS_PER_SERIES = 10_000
AGGREGATE_RUNS = 10_000
"""Runs whose curves are put together."""
AGGREGATE_BUCKETS = 1_000
AGGREGATE_NUMBERS = 2_000_000
"""Buckets of all runs that are put together: of many runs each has fewer."""
AGGREGATE_GROUPS = 100
STEPS_PER_SAMPLE = 10_000
SERIES_PER_SAMPLE = 1_000
RANKS_PER_READ = 1_000


@dataclass(frozen=True)
class RunLimits:
    """How many distinct keys a run may have.

    What the fold puts aside depends on them: under other limits a rebuild from the log gives other rows.
    """

    metrics: int = METRICS_PER_RUN
    params: int = PARAMS_PER_RUN
    tags: int = TAGS_PER_RUN
    datasets: int = DATASETS_PER_RUN
    models: int = MODELS_PER_RUN
