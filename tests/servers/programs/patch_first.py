"""A configuration of gunicorn that patches before --preload imports the application."""

import os

if os.environ["WORKER_CLASS"] == "gevent":
    from gevent import monkey

    monkey.patch_all()
else:
    import eventlet

    eventlet.monkey_patch()
