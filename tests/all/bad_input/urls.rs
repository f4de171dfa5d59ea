//! Addresses whose server misbehaves: a tiny one on loopback.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use super::{config_map, error_of, stored, with_kept};

/// Answers by the path; ends with the value.
struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(stream) = stream {
                    // A client that hangs up is what many of these tests are about.
                    let _ = answer(stream, address, &stopped);
                }
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn answer(mut stream: TcpStream, address: SocketAddr, stop: &AtomicBool) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            read => head.extend_from_slice(&piece[..read]),
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
    let good = config_map("fetched", "data: {x: y}\n");
    let redirect =
        |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let status = |status: &str| {
        format!(
            // Nobody waits that long, so that nothing depends on the time.
            "HTTP/1.1 {status}\r\nRetry-After: 1000\r\nContent-Length: 2\r\n\r\nno"
        )
    };
    let sized = |length: usize, body: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    };
    let text = match path.trim_start_matches('/') {
        "good.yaml" => sized(good.len(), &good),
        "to-good" => redirect("/good.yaml"),
        "ftp" => redirect("ftp://127.0.0.1/x.yaml"),
        "file" => redirect("file:///etc/passwd"),
        "data" => redirect("data:text/plain,x"),
        "loop" => redirect(&format!("http://{address}/loop")),
        "short" => sized(good.len() + 100, &good),
        // What stands behind the announced length belongs to no answer.
        "long" => sized(good.find("data: {").unwrap_or(0), &good),
        "silent" => sized(0, ""),
        "page" => sized(21, "<!doctype html><html>"),
        "no-http" => "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
        "cut-chunk" => {
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort".to_owned()
        }
        "endless" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            while !stop.load(Ordering::Relaxed) {
                stream.write_all(&[b'#'; 8192])?;
            }
            String::new()
        }
        "huge" => sized(1 << 40, ""),
        code => status(&format!("{code} Status")),
    };
    stream.write_all(text.as_bytes())
}

#[test]
fn a_server_that_misbehaves_has_its_code_and_changes_nothing() {
    let (sandbox, kept) = with_kept();
    let server = Server::start();
    for (path, exit, code, says) in [
        ("/ftp", 10, "E0120", "ftp://"),
        ("/file", 10, "E0120", "file:///"),
        ("/data", 10, "E0120", "neither http nor https"),
        ("/loop", 10, "E0120", "5 times"),
        ("/endless", 10, "E0102", "--max-input-size"),
        ("/huge", 10, "E0102", "--max-input-size"),
        ("/short", 8, "E0123", "broke off"),
        ("/cut-chunk", 8, "E0123", "broke off"),
        ("/silent", 10, "E0106", ""),
        ("/page", 10, "E0108", "HTML"),
        ("/no-http", 8, "E0123", "broke off"),
        ("/401", 4, "E0125", "401"),
        ("/403", 4, "E0125", "403"),
        ("/404", 5, "E0124", "404"),
        ("/410", 5, "E0124", "410"),
        ("/400", 1, "E0122", "400"),
        ("/204", 1, "E0122", "204"),
        ("/500", 8, "E0121", "500"),
        ("/503", 8, "E0121", "503"),
        ("/429", 8, "E0121", "429"),
    ] {
        let url = server.url(path);
        let mut arguments = vec!["design", "import", &url, "--name", "kept", "-o", "json"];
        arguments.extend(["--max-input-size", "1MiB", "--request-timeout", "30s"]);
        let run = sandbox.run(arguments);
        let error = error_of(&run);
        assert_eq!(error["code"], code, "{path}: {run}");
        assert!(error.to_string().contains(says), "{path}: {run}");
        assert!(error.to_string().contains(path), "names the address: {run}");
        run.ends(exit);
        assert_eq!(stored(&sandbox), kept, "{path}");
    }
}

#[test]
fn an_address_that_answers_is_imported_as_far_as_it_said() {
    let (sandbox, _) = with_kept();
    let server = Server::start();
    for (path, data) in [("/good.yaml", true), ("/to-good", true), ("/long", false)] {
        let url = server.url(path);
        let run = sandbox.run(["design", "import", &url, "--name", "fetched", "-o", "json"]);
        run.succeeds();
        let view = sandbox
            .run(["design", "view", "fetched", "-o", "json"])
            .json();
        let data_there = view["design"]["components"][0]["configuration"]
            .get("data")
            .is_some();
        assert_eq!(data_there, data, "{path}");
    }
}

#[test]
fn an_address_where_nobody_listens_is_unreachable() {
    let (sandbox, kept) = with_kept();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let url = format!("http://user:PASSWORD@{address}/shop.yaml?token=TOKEN");
    let run = sandbox.run(["design", "import", &url, "--request-timeout", "1s"]);
    // An attempt may just be under way when the time is over.
    let told = (
        run.code,
        run.stderr.contains("E0121"),
        run.stderr.contains("E0009"),
    );
    assert!(
        matches!(told, (Some(8), true, _) | (Some(7), _, true)),
        "{run}"
    );
    assert!(
        !run.stderr.contains("PASSWORD") && !run.stderr.contains("TOKEN"),
        "{run}"
    );
    assert_eq!(stored(&sandbox), kept);
}

#[test]
fn an_address_of_another_kind_is_a_usage_error() {
    let (sandbox, kept) = with_kept();
    for url in [
        "ftp://127.0.0.1/x.yaml",
        "file:///etc/passwd",
        "http://",
        "http://a b/",
    ] {
        sandbox.run(["design", "import", url]).fails(2, "E0002");
    }
    assert_eq!(stored(&sandbox), kept);
}
