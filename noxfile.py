"""The default tests on every supported Python: `make test-matrix`.

`nox -s tests-3.13 -- tests/latent` runs some tests on one version.  nox skips
missing versions and names them.
"""

import nox

# The versions with wheels of TensorFlow 2.21. A test compares them with
# setup.py and the workflow in .github/.
PYTHONS = ["3.11", "3.12", "3.13"]

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


@nox.session(python=PYTHONS)
def tests(session):
    session.install("--editable", ".[test]")
    session.run("python", "-m", "pytest", "-n", "2", "--dist", "loadfile",
                *session.posargs)
