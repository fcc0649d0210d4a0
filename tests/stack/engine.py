"""A Docker engine of the tests' own, from Debian's packages, without an init system and without touching the machine's.

`python tests/stack/engine.py start | stop | env` keeps one running between test runs while developing. Everything lives
in `.data/stack`; the engine has its own socket, so a Docker engine of the machine sees nothing of it. Needs root.

There are two lanes, chosen by STACK_LANE: `stable`, the engine of Debian 13, and `current`, the engine of Debian's next
release with the containerd image store, as a new installation of Docker has it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("TOKENSCOPE_STACK_DIR") or REPOSITORY / ".data" / "stack")
STANDIN_SUITE = "trixie"  # of the images' root, in both lanes
MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ENGINE_PACKAGES = ["docker.io", "containerd", "docker-cli", "docker-compose", "docker-buildx", "pebble"]
# What the engine, the stand-ins and the tests call on this machine, and the package that brings it.
HOST_PACKAGES = {
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "ps": "procps",
    "debootstrap": "debootstrap",
    "gpgv": "gpgv",
    "curl": "curl",
    "openssl": "openssl",
    "git": "git",
    "make": "make",
}
PEBBLE = "usr/bin/pebble"  # a certificate authority for tests, by the makers of Let's Encrypt
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
START_TIMEOUT_S = 300  # for hangs only: a busy machine may take a minute
STOP_TIMEOUT_S = 120


class EngineError(Exception):
    """The engine cannot be used; the message says why."""


@dataclass(frozen=True)
class Lane:
    """Where an engine comes from and how its daemon is set."""

    name: str
    suite: str
    init_package: str  # where the suite has the program behind `init: true`
    settings: dict[str, Any]


LANES = {
    "stable": Lane("stable", "trixie", "tini", {}),
    "current": Lane("current", "forky", "tini-static", {"features": {"containerd-snapshotter": True}}),
}


def chosen_lane() -> Lane:
    """Return the lane that STACK_LANE names; raises EngineError where there is none of that name."""
    name = os.environ.get("STACK_LANE") or "stable"
    if name not in LANES:
        raise EngineError(f"STACK_LANE: expected one of {', '.join(LANES)}, found {name}")
    return LANES[name]


def run(*words: object, env: dict[str, str] | None = None, check: bool = True) -> str:
    """Run a program; return what it printed. Raises EngineError with its last lines when it fails."""
    result = subprocess.run(
        [str(word) for word in words],
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if check and result.returncode != 0:
        tail = " | ".join(result.stdout.strip().splitlines()[-8:])
        raise EngineError(f"{' '.join(map(str, words[:4]))}: exited with {result.returncode}: {tail}")
    return result.stdout


class Engine:
    """The engine of one lane: its programs, its daemon, and the environment that makes `docker` reach it.

    What both lanes use (the images' root, the linters) is kept in `shared`, the rest in `home`.
    """

    def __init__(self, shared: Path = HOME, lane: Lane | None = None) -> None:
        """Describe the engine; nothing is installed or started yet."""
        self.lane = lane or chosen_lane()
        self.shared = shared
        home = self.home = shared / self.lane.name
        self.root = home / "engine"
        self.run = home / "run"
        self.pid_file = self.run / "docker.pid"
        self.log = home / "dockerd.log"
        self.data = home / "docker"
        self._network_before = home / "network.before.json"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables with which `docker`, compose and buildx reach this engine."""
        programs = f"{self.root}/usr/bin:{self.root}/usr/sbin"
        return {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "DOCKER_HOST": f"unix://{self.run}/docker.sock",
            "DOCKER_CONFIG": str(self.home / "config"),
        }

    def install(self) -> None:
        """Fetch the engine's packages where needed and unpack them; installs what they need from the machine."""
        if os.geteuid() != 0:
            raise EngineError("test-stack: expected to run as root (a Docker engine is started), found another user")
        missing = [package for program, package in HOST_PACKAGES.items() if shutil.which(program) is None]
        if missing:
            run("apt-get", "update", "-qq")
            silent = {"DEBIAN_FRONTEND": "noninteractive"}
            run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=silent)
        plugins = self.root / "usr/libexec/docker/cli-plugins"
        if not (plugins / "docker-compose").exists() or not (self.root / PEBBLE).exists():
            self._unpack()
        links = self.home / "config" / "cli-plugins"
        links.mkdir(parents=True, exist_ok=True)
        for plugin in plugins.iterdir():
            (links / plugin.name).unlink(missing_ok=True)
            (links / plugin.name).symlink_to(plugin)

    def start(self) -> None:
        """Start the daemon and wait until it answers; remembers the machine's packet filter to put it back later."""
        if self.is_running():
            return
        self.run.mkdir(parents=True, exist_ok=True)
        self.run.chmod(0o711)
        self._remember_network()
        configuration = self.home / "daemon.json"
        configuration.write_text(json.dumps(self.lane.settings))
        options = {"data-root": self.data, "exec-root": self.run / "exec", "pidfile": self.pid_file}
        options["config-file"] = configuration
        words = [f"--{name}={value}" for name, value in (options | {"mtu": _route_mtu()}).items()]
        with self.log.open("ab") as log:
            # In a session of its own and nobody's child: it outlives this process where that is wanted.
            subprocess.run(
                ["setsid", "--fork", "dockerd", f"--host={self.environment['DOCKER_HOST']}", *words],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline:
                said = " | ".join(self.log.read_text(errors="replace").splitlines()[-5:])
                raise EngineError(f"dockerd: no answer within {START_TIMEOUT_S} s; it said: {said}; see {self.log}")
            time.sleep(0.3)

    def stop(self) -> None:
        """Stop every container and the daemon, and leave the machine's network as it was. Images stay for next time."""
        if self._answers():
            containers = self.docker("ps", "-aq").split()
            if containers:
                self.docker("rm", "-f", "-v", *containers)
            self.docker("network", "prune", "-f")
            self.docker("volume", "prune", "-a", "-f")
        pid = self._pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            while self._pid() is not None and time.monotonic() < deadline:
                time.sleep(0.2)
            if (pid := self._pid()) is not None:
                os.kill(pid, signal.SIGKILL)
        self._restore_network()

    def docker(self, *words: object, check: bool = True) -> str:
        """Run `docker WORDS...` on this engine; return what it printed."""
        return run("docker", *words, env=self.environment, check=check)

    def is_running(self) -> bool:
        """Return whether this engine's daemon runs and answers."""
        return self._pid() is not None and self._answers()

    def _answers(self) -> bool:
        if not (self.run / "docker.sock").exists():
            return False
        command = ["docker", "version", "--format", "{{.Server.Version}}"]
        try:
            env = {**os.environ, **self.environment}
            return subprocess.run(command, env=env, capture_output=True, timeout=20).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False

    def _pid(self) -> int | None:
        try:
            pid = int(self.pid_file.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (OSError, ValueError):
            return None
        return pid if b"dockerd" in words[0] and state != "Z" else None

    def _unpack(self) -> None:
        packages = self.home / "packages"
        packages.mkdir(parents=True, exist_ok=True)
        configuration = self._apt_configuration()
        run("apt-get", "update", "-qq", env=configuration)
        subprocess.run(
            ["apt-get", "download", "-qq", *ENGINE_PACKAGES, self.lane.init_package],
            cwd=packages,
            env={**os.environ, **configuration},
            check=True,
            capture_output=True,
        )
        for package in sorted(packages.glob("*.deb")):
            run("dpkg-deb", "-x", package, self.root)
        shutil.rmtree(packages)

    def _apt_configuration(self) -> dict[str, str]:
        """Write an apt configuration that knows the lane's Debian alone; return the variable that selects it."""
        apt = self.home / "apt"
        for folder in ("lists/partial", "cache/archives/partial", "parts"):
            (apt / folder).mkdir(parents=True, exist_ok=True)
        (apt / "status").touch()
        (apt / "parts" / "debian.sources").write_text(
            f"Types: deb\nURIs: {MIRROR}\nSuites: {self.lane.suite}\nComponents: main\nSigned-By: {KEYRING}\n"
        )
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": apt / "parts",
            "Dir::State::lists": apt / "lists",
            "Dir::State::status": apt / "status",
            "Dir::Cache": apt / "cache",
            "APT::Sandbox::User": "root",
        }
        (apt / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
        return {"APT_CONFIG": str(apt / "apt.conf")}

    def _remember_network(self) -> None:
        state = {"iptables": run("iptables-save"), "bridges": " ".join(_bridges())}
        state["forwarding"] = FORWARDING.read_text()
        if not self._network_before.exists():
            self._network_before.write_text(json.dumps(state))

    def _restore_network(self) -> None:
        if not self._network_before.exists():
            return
        before = json.loads(self._network_before.read_text())
        for bridge in set(_bridges()) - set(before["bridges"].split()):
            run("ip", "link", "delete", bridge, check=False)
        for table in ("filter", "nat", "raw"):  # a table that was empty is not in the saved text, so it is emptied here
            if f"*{table}" not in before["iptables"]:
                run("iptables", "-t", table, "-F", check=False)
                run("iptables", "-t", table, "-X", check=False)
        run("iptables", "-P", "FORWARD", "ACCEPT", check=False)
        saved = self.home / "iptables.before"
        saved.write_text(before["iptables"])
        run("iptables-restore", saved, check=False)
        saved.unlink()
        FORWARDING.write_text(before["forwarding"])
        self._network_before.unlink()


def _bridges() -> list[str]:
    lines = run("ip", "-o", "link", "show", "type", "bridge", check=False).splitlines()
    return [line.split(": ")[1].split("@")[0] for line in lines]


def _route_mtu() -> int:
    """Return the largest packet of the machine's way out; a container that sends larger ones gets no answer."""
    words = run("ip", "-o", "route", "show", "default", check=False).split()
    device = words[words.index("dev") + 1] if "dev" in words else "lo"
    return min(1500, int(Path(f"/sys/class/net/{device}/mtu").read_text()))


def main(arguments: list[str]) -> int:
    """Start or stop the engine, or print the variables that reach it."""
    engine = Engine()
    if arguments == ["start"]:
        engine.install()
        engine.start()
    elif arguments == ["stop"]:
        engine.stop()
    elif arguments != ["env"]:
        print("usage: python tests/stack/engine.py start | stop | env", file=sys.stderr)
        return 2
    if arguments != ["stop"]:
        print("\n".join(f"export {name}='{value}'" for name, value in engine.environment.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
