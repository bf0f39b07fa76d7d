"""How soon a half-open connection is noticed.

A ping goes out when nothing came for the interval; without a byte within the timeout the connection is closed, and
every call on it ends. A client notices within 27 s of the last word it had.
"""

CLIENT = (
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 12_000),
    # Pings that measure the line go out too, and a keepalive that finds one under way waits for that: by default a
    # minute.
    ("grpc.http2.ping_timeout_ms", 12_000),
    # By default only two pings go out while no data does, and the next ones a minute apart.
    ("grpc.http2.max_pings_without_data", 0),
    # A connection without calls has nobody to tell.
    ("grpc.keepalive_permit_without_calls", 0),
)
SERVER = (
    # A peer that pings more often is cut off, as one that floods. Far below what clients do: pings that a busy machine
    # reads late come close behind each other.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    # What clients that vanished hold is let go within a minute, those without calls too.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
)
