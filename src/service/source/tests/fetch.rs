//! Addresses, with servers that lie, loop, stall and flood.

use super::server::{Reply, Server, answer};
use super::*;
use tokio::time::Instant;

#[tokio::test]
async fn an_address_is_read_and_named_by_its_last_part() {
    let server = Server::start(|_, _| answer("200 OK", "", POD)).await;
    let url = server.url("/a/shop.yaml?token=canary");
    let bundle = load_url(&url, &options()).await.expect("a bundle");
    assert_eq!(bundle.name, "shop");
    assert_eq!(bundle.form, Form::Manifest);
    assert_eq!(paths(&bundle), ["shop.yaml"]);
    assert_eq!(bundle.files[0].text, POD);
    assert_eq!(bundle.origin, server.url("/a/shop.yaml?token=***"));
    assert!(server.requests()[0].starts_with("GET /a/shop.yaml?token=canary HTTP/1.1\r\n"));
}

#[tokio::test]
async fn redirects_are_followed_without_credentials() {
    let other = Server::start(|_, _| answer("200 OK", "", POD)).await;
    let there = other.url("/there.yaml");
    let server = Server::start(move |path, _| match path {
        "/first" => answer("302 Found", "Location: /second\r\n", ""),
        _ => answer("307 Moved", &format!("Location: {there}\r\n"), ""),
    })
    .await;
    let url = server.url("/first").replace("//", "//user:canary@");
    let bundle = load_url(&url, &options()).await.expect("a bundle");
    assert_eq!(bundle.name, "there");
    assert_eq!(bundle.origin, server.url("/first"));
    let requests = server.requests();
    let has_credentials = |head: &str| head.to_lowercase().contains("authorization: basic");
    assert!(has_credentials(&requests[0]), "{requests:?}");
    assert!(!has_credentials(&requests[1]), "{requests:?}");
    assert!(!has_credentials(&other.requests()[0]));
    assert!(!other.requests()[0].to_lowercase().contains("referer"));
}

#[tokio::test]
async fn redirects_end_after_five() {
    let server =
        Server::start(|_, count| answer("301 Moved", &format!("Location: /{count}\r\n"), "")).await;
    let error = load_url(&server.url("/x"), &options())
        .await
        .expect_err("a loop");
    assert_eq!(
        error.to_string(),
        format!("{} redirects more than 5 times", server.url("/x"))
    );
    assert_eq!(error.class(), Class::Refused);
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn redirects_to_another_scheme_are_refused() {
    for (to, reason) in [
        ("file:///etc/passwd", "it is neither http nor https"),
        ("ftp://127.0.0.1/x", "it is neither http nor https"),
        ("data:text/plain,x", "it is neither http nor https"),
        ("http://[bad/", "it is malformed"),
    ] {
        let header = format!("Location: {to}\r\n");
        let server = Server::start(move |_, _| answer("302 Found", &header, "")).await;
        let error = load_url(&server.url("/"), &options())
            .await
            .expect_err("refused");
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_without_location_is_a_status() {
    let server = Server::start(|_, _| answer("302 Found", "", "")).await;
    let error = load_url(&server.url("/x"), &options())
        .await
        .expect_err("no location");
    assert_eq!(
        error.to_string(),
        format!("{} answered 302 Found", server.url("/x"))
    );
}

#[tokio::test]
async fn an_endless_body_stops_at_the_limit() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ] {
        let server = Server::start(move |_, _| Reply::Endless(head.into())).await;
        let mut options = options();
        options.limits.input = 1 << 20;
        let error = load_url(&server.url("/x"), &options)
            .await
            .expect_err("endless");
        let expected = format!(
            "{} is larger than 1 MiB (--max-input-size raises the limit)",
            server.url("/x")
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_an_error() {
    let server = Server::start(|_, _| {
        Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nkind: Pod\n".into())
    })
    .await;
    let error = load_url(&server.url("/x"), &options())
        .await
        .expect_err("cut off");
    assert_eq!(
        error.to_string(),
        format!(
            "the answer of {} broke off after 10 bytes of 500",
            server.url("/x")
        )
    );
    assert_eq!(error.class(), Class::Unavailable);
}

#[tokio::test]
async fn a_chunked_body_without_its_end_is_an_error() {
    let server = Server::start(|_, _| {
        Reply::Bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na: 1\r\n".into())
    })
    .await;
    let error = load_url(&server.url("/x"), &options())
        .await
        .expect_err("cut off");
    assert!(
        matches!(error, Error::Body { received: 4, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn bytes_behind_the_length_are_not_part_of_the_body() {
    let server = Server::start(|_, _| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", POD.len());
        Reply::Bytes([head.as_bytes(), POD.as_bytes(), b"evil: true\n"].concat())
    })
    .await;
    let bundle = load_url(&server.url("/x"), &options())
        .await
        .expect("a bundle");
    assert_eq!(bundle.files[0].text, POD);
}

#[tokio::test]
async fn a_contradictory_length_is_an_error() {
    let server = Server::start(|_, _| {
        Reply::Bytes(
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\na: 1".into(),
        )
    })
    .await;
    let error = load_url(&server.url("/x"), &options())
        .await
        .expect_err("two lengths");
    assert!(matches!(error, Error::Body { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    let server = Server::start(|_, _| Reply::Bytes(b"220 ftp ready\r\n".into())).await;
    let error = load_url(&server.url("/x"), &options())
        .await
        .expect_err("not http");
    assert!(matches!(error, Error::Body { .. }), "{error:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    for head in ["", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na"] {
        let server = Server::start(move |_, _| Reply::Silence(head.into())).await;
        let mut options = options();
        options.network.idle = Duration::from_millis(300);
        let error = load_url(&server.url("/x"), &options)
            .await
            .expect_err("silence");
        assert_eq!(
            error.to_string(),
            format!("{} sent nothing for 0.3s", server.url("/x"))
        );
    }
}

#[tokio::test]
async fn a_trickle_ends_with_the_deadline() {
    let server = Server::start(|_, _| {
        Reply::Trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n".into())
    })
    .await;
    let mut options = options();
    options.timeout = Duration::from_millis(600);
    let error = load_url(&server.url("/x"), &options)
        .await
        .expect_err("too slow");
    assert_eq!(
        error.to_string(),
        format!(
            "{} was not read within 0.6s (--request-timeout allows more)",
            server.url("/x")
        )
    );
    assert_eq!(error.class(), Class::TimedOut);
}

#[tokio::test]
async fn cancelling_ends_a_fetch() {
    let server = Server::start(|_, _| Reply::Silence(Vec::new())).await;
    let cancel = CancellationToken::new();
    let source = server.url("/x").parse().expect("an address");
    let mut options = options();
    options.network.idle = Duration::from_mins(1);
    let started = Instant::now();
    let (outcome, ()) = tokio::join!(load(&source, &options, cancel.clone()), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    });
    assert!(matches!(outcome, Err(Error::Cancelled { .. })));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn overload_is_tried_again() {
    let server = Server::start(|_, count| match count {
        0 => answer("429 Too Many Requests", "Retry-After: 1\r\n", ""),
        1 => answer("503 Service Unavailable", "", ""),
        _ => answer("200 OK", "", POD),
    })
    .await;
    let started = Instant::now();
    let bundle = load_url(&server.url("/x"), &options())
        .await
        .expect("a bundle");
    assert_eq!(bundle.files[0].text, POD);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn overload_ends_after_five_retries() {
    let server = Server::start(|_, _| answer("502 Bad Gateway", "", "")).await;
    let error = load_url(&server.url("/x?sig=canary"), &options())
        .await
        .expect_err("overload");
    assert_eq!(
        error.to_string(),
        format!(
            "{} answered 502 Bad Gateway after 6 attempts",
            server.url("/x?sig=***")
        )
    );
    assert_eq!(error.class(), Class::Unavailable);
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn a_wait_behind_the_deadline_is_not_begun() {
    for header in ["3600", "Fri, 31 Dec 2999 23:59:59 GMT"] {
        let header = format!("Retry-After: {header}\r\n");
        let server = Server::start(move |_, _| answer("429 Too Many Requests", &header, "")).await;
        let started = Instant::now();
        let error = load_url(&server.url("/x"), &options())
            .await
            .expect_err("overload");
        let text = error.to_string();
        assert!(
            text.contains("answered 429 Too Many Requests and asks to wait"),
            "{text}"
        );
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn other_failures_are_not_tried_again() {
    for (status, class) in [
        ("401 Unauthorized", Class::Denied),
        ("403 Forbidden", Class::Denied),
        ("404 Not Found", Class::NotFound),
        ("400 Bad Request", Class::Failed),
        ("206 Partial Content", Class::Failed),
        ("204 No Content", Class::Failed),
    ] {
        let server = Server::start(move |_, _| answer(status, "", "")).await;
        let error = load_url(&server.url("/x"), &options())
            .await
            .expect_err("a failure");
        assert_eq!(
            error.to_string(),
            format!("{} answered {status}", server.url("/x"))
        );
        assert_eq!(error.class(), class, "{status}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_closed_port_is_tried_again_and_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let url = format!("http://user:canary@{address}/x");
    let error = load_url(&url, &options())
        .await
        .expect_err("nobody is there");
    let text = told(&error);
    assert!(
        text.starts_with(&format!("cannot reach http://{address}/x after 6 attempts")),
        "{text}"
    );
    assert!(
        text.contains("refused") && !text.contains("canary"),
        "{text}"
    );
    assert_eq!(error.class(), Class::Unavailable);
}

#[tokio::test]
async fn a_web_page_is_told_from_a_file() {
    for page in ["\u{FEFF}\n <!DOCTYPE html><html></html>", "<HTML>"] {
        let server = Server::start(move |_, _| answer("200 OK", "", page)).await;
        let error = load_url(&server.url("/x.yaml"), &options())
            .await
            .expect_err("a page");
        assert_eq!(
            error.to_string(),
            format!(
                "{} is an HTML page, not a file; use the address of the raw file",
                server.url("/x.yaml")
            )
        );
    }
}

#[tokio::test]
async fn a_compressed_flood_stops_at_the_limit() {
    let bomb = packed::gzip(&vec![b'#'; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    let server = Server::start(move |_, _| answer("200 OK", "", &bomb)).await;
    let error = load_url(&server.url("/x.yaml"), &options())
        .await
        .expect_err("a bomb");
    let text = error.to_string();
    assert!(
        text.starts_with("x.yaml, unpacked, is larger than "),
        "{text}"
    );
}

#[tokio::test]
async fn a_compose_file_from_afar_comes_alone() {
    let text = "services:\n  web:\n    image: x\n    env_file: web.env\n";
    let server = Server::start(move |_, _| answer("200 OK", "", text)).await;
    let bundle = load_url(&server.url("/c"), &options())
        .await
        .expect("a bundle");
    assert_eq!(bundle.form, Form::Compose);
    assert_eq!(
        bundle.notes,
        [
            "c: services.web.env_file names \"web.env\", which is not at hand, \
          as the compose file came alone; it was not read"
        ]
    );
}
