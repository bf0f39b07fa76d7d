"""HTTP for browsers and for every language: what does the same contract look like over HTTP/1.1?

It dials gRPC and holds no state: of the other rooms it may import none. Only this room knows starlette and uvicorn.
"""
