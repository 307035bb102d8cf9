//! Containers, and what they run from a folder of the host.

use super::check;

#[test]
fn containers() {
    check(&[
        (
            "docker run -i --rm -e VAULT_TOKEN -v /home/me/vault:/data:ro acme-demo/vault-mcp:1.2",
            "?",
            "",
            "docker-run =acme-demo/vault-mcp:1.2 - side-by-side container installed-package",
        ),
        (
            "docker run -i --rm --name vault-mcp -p 8811:8811 acme-demo/vault-mcp",
            "/p",
            "",
            "docker-run =acme-demo/vault-mcp - conflict container container-name:vault-mcp fixed-port:8811 installed-package",
        ),
        ("docker run -p 80 img", "/p", "", "docker-run =img - side-by-side container installed-package"),
        (
            "docker run -i -v /home/me/srv:/app -w /app python:3.12 python server.py",
            "/p",
            "/home/me/srv/server.py",
            "docker-run /home/me/srv/server.py=python:3.12 /home/me/srv side-by-side bind-mounted-source container",
        ),
        (
            "podman run --mount type=bind,src=./srv,dst=/app img node /app/a.js",
            "/p",
            "/p/srv/a.js",
            "docker-run /p/srv/a.js=img /p/srv side-by-side bind-mounted-source container",
        ),
        ("docker exec -i box python /x.py", "/p", "", "docker-exec =box - side-by-side container"),
        ("docker compose run --rm srv", "/p", "", "docker-compose =srv - side-by-side container"),
        ("kubectl exec -i pod -- srv", "/p", "", "docker-exec =pod - side-by-side container"),
    ]);
}

#[test]
fn a_mounted_project_is_read_through_its_mount() {
    check(&[
        (
            "docker run --rm -i -v /home/me/srv:/app -w /app python:3.12 python -m srv",
            "?",
            "/home/me/srv/pyproject.toml /home/me/srv/src/srv/__main__.py",
            "docker-run /home/me/srv/src/srv/__main__.py=python:3.12 /home/me/srv side-by-side bind-mounted-source container",
        ),
        (
            "docker run -i -v ./mcp:/app -v cache:/root/.npm -w /app node:22 npm start",
            "/p",
            "/p/mcp/package.json",
            "docker-run =node:22 /p/mcp side-by-side bind-mounted-source container task",
        ),
        // The deepest mount is what the container sees.
        (
            "docker run -i -v /p/all:/app -v /p/lib:/app/lib img python /app/lib/a.py",
            "/",
            "/p/lib/a.py",
            "docker-run /p/lib/a.py=img /p/lib side-by-side bind-mounted-source container",
        ),
        (
            "docker run -i --entrypoint node -v /p:/app img /app/src/a.js --x",
            "/",
            "/p/package.json",
            "docker-run /p/src/a.js=img /p side-by-side bind-mounted-source container",
        ),
        // What the image runs by itself, with the code mounted over its own; and a project that is only data.
        (
            "docker run -i -v /p:/app srv-dev",
            "/",
            "/p/pyproject.toml",
            "docker-run =srv-dev /p side-by-side bind-mounted-source container",
        ),
        (
            "docker run -i --mount type=bind,source=/p/srv,target=/app/srv srv-dev",
            "/",
            "/p/srv/a.py",
            "docker-run =srv-dev /p/srv side-by-side bind-mounted-source container",
        ),
        (
            "docker run -i -v /p:/projects mcp/files /projects",
            "/",
            "/p/pyproject.toml",
            "docker-run =mcp/files - side-by-side container installed-package",
        ),
        (
            "docker run -i -v /p:/data mcp/notes /data/notes.md",
            "/",
            "/p/notes.md",
            "docker-run =mcp/notes - side-by-side container installed-package",
        ),
        // A volume of the engine's is no folder, nor is code of the image one of ours.
        (
            "docker run -i -v code:/app img python /app/a.py",
            "/p",
            "/p/code/a.py",
            "docker-run =img - side-by-side container installed-package",
        ),
        (
            "docker run -i -v /p/data:/data img python /app/a.py",
            "/p",
            "/p/data/x",
            "docker-run =img - side-by-side container installed-package",
        ),
        (
            r"docker run -i -v C:\srv:/app img node /app/a.js",
            "?",
            r"C:\srv\a.js",
            r"docker-run C:\srv\a.js=img C:\srv side-by-side bind-mounted-source container",
        ),
        (
            "docker run -i -v /p:/app img mcp run /app/a.py:srv",
            "/",
            "",
            "docker-run /p/a.py=img /p side-by-side bind-mounted-source container object-suffix",
        ),
    ]);
}

#[test]
fn what_two_containers_cannot_share() {
    check(&[
        (
            "docker run -i -p 127.0.0.1:8811:80/tcp img",
            "/p",
            "",
            "docker-run =img - conflict container fixed-port:8811 installed-package",
        ),
        ("docker run -i -p 0:80 img --port 90", "/p", "", "docker-run =img - side-by-side container installed-package"),
        (
            "docker run -i --network=host img --port 90",
            "/p",
            "",
            "docker-run =img - conflict container fixed-port:90 installed-package",
        ),
        (
            "docker run -i --cidfile /x/id --env-file .env img",
            "/p",
            "",
            "docker-run =img - conflict container env-file:/p/.env installed-package",
        ),
        ("docker start -ai box", "/p", "", "docker-run - - conflict container container-name:box"),
        (
            "docker run -i --rm supercorp/supergateway --sse https://x.invalid/sse",
            "/p",
            "",
            "docker-run =supercorp/supergateway - skip container installed-package remote-bridge:https://x.invalid/sse",
        ),
        ("docker run", "/p", "", "docker-run - - unknown container no-script"),
        ("docker mcp gateway run", "/p", "", "docker-run - - unknown container"),
    ]);
}

#[test]
fn further_processes_in_containers() {
    check(&[
        ("podman exec -i -e A=1 -w /x box srv", "/p", "", "docker-exec =box - side-by-side container"),
        ("docker container exec box srv", "/p", "", "docker-exec =box - side-by-side container"),
        (
            "docker compose -f /p/c.yml run --rm -T srv python a.py",
            "/p",
            "",
            "docker-compose =srv - side-by-side container",
        ),
        (
            "docker-compose run --name one -p 8000:80 srv",
            "/p",
            "",
            "docker-compose =srv - conflict container container-name:one fixed-port:8000",
        ),
        ("docker compose exec -T srv x", "/p", "", "docker-compose =srv - side-by-side container"),
        ("docker compose up", "/p", "", "docker-compose - - unknown container"),
        ("kubectl -n x exec -i pod -c c -- srv", "/p", "", "docker-exec =pod - side-by-side container"),
        ("kubectl port-forward x 80", "/p", "", "docker-exec - - unknown container"),
    ]);
}
