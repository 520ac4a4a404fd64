"""JupyterLab as the lab starts it. labkit/jupyter.py tells it the port and the token."""

c = get_config()  # type: ignore[name-defined]  # noqa: F821 (jupyter_server puts it here)

# The course, and nothing but this machine: not reachable from outside, asking nobody outside.
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.open_browser = False
c.ServerApp.port_retries = 0  # the address that was announced, or an error
c.ServerApp.default_url = "/lab/tree/index.md"
c.ServerApp.contents_manager_class = "labkit.contents.CourseContents"  # the index, and what is left of widgets
c.LabApp.expose_app_in_browser = True  # theme.use("dark") asks it for JupyterLab's own dark
c.JupyterNotebookApp.expose_app_in_browser = True
c.LabApp.extension_manager = "readonly"
c.LabApp.custom_css = True  # custom.css, which labkit/jupyter.py puts where it is looked for

# Root is the usual user of a virtual machine made for the course; the address is on loopback, with a token.
c.ServerApp.allow_root = True
