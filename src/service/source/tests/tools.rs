//! Charts and kustomizations, with the real programs and with scripts in their place.
//!
//! The real ones come from the folder that `WEFT_TEST_TOOLS` names, which `./tests/run` sets.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use aws_lc_rs::digest;

use super::packed;
use super::server::{Server, answer};
use super::*;

const CHART: [(&str, &str); 6] = [
    ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.2.0\n"),
    ("values.yaml", "image: nginx\nreplicas: 1\n"),
    (
        "templates/web.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}-web\n  \
         namespace: {{ .Release.Namespace }}\nspec:\n  replicas: {{ .Values.replicas }}\n  \
         image: {{ .Values.image | quote }}\n",
    ),
    (
        "templates/hook.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: hook\n  annotations:\n    helm.sh/hook: pre-install\n",
    ),
    (
        "templates/tests/test.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: probe\n  annotations:\n    helm.sh/hook: test\n",
    ),
    ("crds/thing.yaml", "kind: One\n---\nkind: Two\n"),
];

const PLACES: [&str; 3] = [
    "shop/crds/thing.yaml",
    "shop/templates/web.yaml",
    "shop/templates/hook.yaml",
];

/// Options with the real programs on PATH and an empty home.
fn real(home: &Path) -> Options {
    let tools = std::env::var_os("WEFT_TEST_TOOLS").expect(
        "WEFT_TEST_TOOLS names the folder with helm and kubectl; ./tests/run makes and sets it",
    );
    for tool in ["helm", "kubectl"] {
        let path = Path::new(&tools).join(tool);
        assert!(
            path.exists(),
            "{} is missing in WEFT_TEST_TOOLS",
            path.display()
        );
    }
    Options {
        environment: vec![("PATH".into(), tools), ("HOME".into(), home.into())],
        timeout: Duration::from_mins(1),
        ..options()
    }
}

/// Options with a script in the place of a program.
fn fake(folder: &Path, tool: &str, script: &str) -> Options {
    let bin = folder.join("bin");
    put(&bin, tool, format!("#!/bin/sh\n{script}\n"));
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(bin.join(tool), executable).expect("permissions");
    Options {
        environment: vec![
            (
                "PATH".into(),
                format!("{}:/usr/bin:/bin", bin.display()).into(),
            ),
            ("HOME".into(), folder.into()),
        ],
        ..options()
    }
}

fn chart_archive() -> Vec<u8> {
    let entries: Vec<_> = CHART
        .iter()
        .map(|(path, text)| (format!("shop/{path}"), *text))
        .collect();
    let entries: Vec<_> = entries
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    packed::gzip(&packed::files(&entries))
}

fn text<'a>(bundle: &'a Bundle, path: &str) -> &'a str {
    let file = bundle.files.iter().find(|file| file.path == path);
    &file.expect("the file is there").text
}

#[tokio::test]
async fn a_chart_folder_is_rendered() {
    let folder = folder(&CHART);
    let mut options = real(folder.path());
    for path in [
        folder.path().to_path_buf(),
        folder.path().join("Chart.yaml"),
    ] {
        let bundle = load_path(&path, &options).await.expect("a bundle");
        assert_eq!(bundle.name, "shop");
        assert_eq!(bundle.form, Form::Chart);
        assert_eq!(paths(&bundle), PLACES);
        assert_eq!(
            text(&bundle, PLACES[0]).trim_end(),
            "kind: One\n---\nkind: Two"
        );
        assert!(text(&bundle, PLACES[1]).contains("name: shop-web\n  namespace: default\n"));
        assert_eq!(
            bundle.notes,
            ["shop/templates/tests/test.yaml: Pod/probe is a test and was left out"]
        );
    }
    put(
        folder.path(),
        "mine, too.yaml",
        "image: httpd\nreplicas: 2\n",
    );
    options.values = vec![folder.path().join("mine, too.yaml")];
    options.set = vec!["replicas=3".into()];
    options.namespace = Some("prod".into());
    options.release = Some("blue".into());
    let bundle = load_path(folder.path(), &options).await.expect("a bundle");
    let web = text(&bundle, PLACES[1]);
    assert!(web.contains("name: blue-web\n  namespace: prod\n"), "{web}");
    assert!(web.contains("replicas: 3\n  image: \"httpd\"\n"), "{web}");
}

#[tokio::test]
async fn a_chart_archive_is_rendered_under_any_name_and_from_anywhere() {
    let folder = folder(&[]);
    let options = real(folder.path());
    put(folder.path(), "download.yaml", chart_archive());
    let bundle = load_path(folder.path().join("download.yaml"), &options)
        .await
        .expect("a bundle");
    assert_eq!((bundle.name.as_str(), bundle.form), ("shop", Form::Chart));
    assert_eq!(paths(&bundle), PLACES);
    let server = Server::start(|_, _| answer("200 OK", "", chart_archive())).await;
    let bundle = load_url(&server.url("/latest?x=1"), &options)
        .await
        .expect("a bundle");
    assert_eq!((bundle.name.as_str(), bundle.form), ("shop", Form::Chart));
    assert_eq!(paths(&bundle), PLACES);
}

#[tokio::test]
async fn a_chart_of_a_repository_is_rendered() {
    let folder = folder(&[]);
    let mut options = real(folder.path());
    let server = Server::start(|path, _| match path {
        "/charts/index.yaml" => answer(
            "200 OK",
            "",
            "apiVersion: v1\nentries:\n  shop:\n  - {apiVersion: v2, name: shop, version: 1.2.0, urls: [shop.tgz]}\n",
        ),
        "/charts/shop.tgz" => answer("200 OK", "", chart_archive()),
        _ => answer("404 Not Found", "", ""),
    })
    .await;
    options.repo = Some(server.url("/charts/"));
    options.version = Some("^1.0".into());
    let bundle = load_path("shop", &options).await.expect("a bundle");
    assert_eq!((bundle.name.as_str(), bundle.form), ("shop", Form::Chart));
    assert_eq!(paths(&bundle), PLACES);
    options.version = Some("9.9.9".into());
    let error = load_path("shop", &options)
        .await
        .expect_err("no such version");
    assert!(
        matches!(error, Error::Tool { tool: "helm", .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("9.9.9"), "{error}");
}

#[tokio::test]
async fn a_chart_of_a_registry_is_rendered() {
    let folder = folder(&[]);
    let mut options = real(folder.path());
    let server = registry().await;
    let reference = format!("oci://{}/charts/shop", server.address);
    options.plain_http = true;
    for (suffix, version) in [(":1.2.0", None), ("", Some("1.2.0"))] {
        options.version = version.map(str::to_owned);
        let source = format!("{reference}{suffix}").parse().expect("a reference");
        let bundle = load(&source, &options, CancellationToken::new())
            .await
            .expect("a bundle");
        assert_eq!((bundle.name.as_str(), bundle.form), ("shop", Form::Chart));
        assert_eq!(paths(&bundle), PLACES);
    }
    options.repo = Some(format!("oci://{}/charts", server.address));
    let bundle = load_path("shop", &options).await.expect("a bundle");
    assert_eq!(paths(&bundle), PLACES);
}

/// A registry that holds the chart.
async fn registry() -> Server {
    let named = |bytes: &[u8]| {
        let digest = digest::digest(&digest::SHA256, bytes);
        digest
            .as_ref()
            .iter()
            .fold("sha256:".to_owned(), |text, byte| {
                format!("{text}{byte:02x}")
            })
    };
    let config = b"{\"name\":\"shop\",\"version\":\"1.2.0\",\"apiVersion\":\"v2\"}".to_vec();
    let layer = chart_archive();
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\
         \"config\":{{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\",\"digest\":\"{}\",\"size\":{}}},\
         \"layers\":[{{\"mediaType\":\"application/vnd.cncf.helm.chart.content.v1.tar+gzip\",\"digest\":\"{}\",\"size\":{}}}]}}",
        named(&config),
        config.len(),
        named(&layer),
        layer.len(),
    );
    let digest = named(manifest.as_bytes());
    let blobs = [(named(&config), config), (named(&layer), layer)];
    Server::start(move |path, _| {
        if path.ends_with("/tags/list") {
            return answer("200 OK", "", "{\"name\":\"charts/shop\",\"tags\":[\"1.2.0\"]}");
        }
        if path.contains("/manifests/") {
            let headers = format!(
                "Content-Type: application/vnd.oci.image.manifest.v1+json\r\nDocker-Content-Digest: {digest}\r\n"
            );
            return answer("200 OK", &headers, &manifest);
        }
        match blobs.iter().find(|(digest, _)| path.ends_with(digest)) {
            Some((_, blob)) => answer("200 OK", "Content-Type: application/octet-stream\r\n", blob),
            None => answer("404 Not Found", "", ""),
        }
    })
    .await
}

#[tokio::test]
async fn what_helm_says_is_quoted() {
    let folder = folder(&CHART);
    put(
        folder.path(),
        "templates/bad.yaml",
        "{{ fail \"out of tea\" }}",
    );
    let error = load_path(folder.path(), &real(folder.path()))
        .await
        .expect_err("it fails");
    let text = error.to_string();
    assert!(text.starts_with("helm failed on "), "{text}");
    assert!(text.contains("out of tea"), "{text}");
    assert_eq!(error.class(), Class::Refused);
}

#[tokio::test]
async fn a_kustomization_is_built() {
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\
                         namePrefix: dev-\nresources:\n- ../../base\n";
    let files = [
        ("base/kustomization.yaml", "resources: [pod.yaml]\n"),
        ("base/pod.yaml", POD),
        ("overlays/dev/kustomization.yaml", kustomization),
    ];
    let folder = folder(&files);
    let options = real(folder.path());
    let dev = folder.path().join("overlays/dev");
    for path in [dev.clone(), dev.join("kustomization.yaml")] {
        let bundle = load_path(path, &options).await.expect("a bundle");
        assert_eq!(
            (bundle.name.as_str(), bundle.form),
            ("dev", Form::Kustomization)
        );
        assert!(bundle.files[0].text.contains("name: dev-web"));
    }
    let archive = packed::gzip(&packed::files(&[
        (
            "app/kustomization.yaml",
            "namePrefix: a-\nresources: [pod.yaml]\n",
        ),
        ("app/pod.yaml", POD),
    ]));
    put(folder.path(), "app.tgz", archive);
    let bundle = load_path(folder.path().join("app.tgz"), &options)
        .await
        .expect("a bundle");
    assert_eq!(
        (bundle.name.as_str(), bundle.form),
        ("app", Form::Kustomization)
    );
    assert!(bundle.files[0].text.contains("name: a-web"));
    let alone = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\
                 configMapGenerator:\n- {name: x, literals: [a=b]}\n";
    let server = Server::start(move |_, _| answer("200 OK", "", alone)).await;
    let bundle = load_url(&server.url("/k"), &options)
        .await
        .expect("a bundle");
    assert!(bundle.files[0].text.contains("kind: ConfigMap"));
    put(
        folder.path(),
        "base/kustomization.yaml",
        "resources: [gone.yaml]\n",
    );
    let error = load_path(dev, &options)
        .await
        .expect_err("a file is missing");
    assert!(error.to_string().contains("gone.yaml"), "{error}");
}

#[tokio::test]
async fn kustomize_serves_where_kubectl_is_missing() {
    let folder = folder(&[("app/kustomization.yaml", "resources: []\n")]);
    let script = "[ \"$1 $2\" = 'build --' ] && printf 'apiVersion: v1\\nkind: Pod\\n'";
    let mut options = fake(folder.path(), "kustomize", script);
    options.environment[0].1 = folder.path().join("bin").into();
    let bundle = load_path(folder.path().join("app"), &options)
        .await
        .expect("a bundle");
    assert_eq!(bundle.files[0].text, "apiVersion: v1\nkind: Pod\n");
}

#[tokio::test]
async fn a_missing_program_is_named_with_the_fix() {
    let folder = folder(&CHART);
    put(folder.path(), "k/kustomization.yaml", "resources: []\n");
    // A relative entry of PATH depends on where we are, and a file that is not executable is no program.
    put(folder.path(), "no-program/helm", "#!/bin/sh\n");
    let mut options = fake(folder.path(), "helm", "echo 'kind: Wrong'");
    let here = std::env::current_dir().expect("a current folder");
    let up = "../".repeat(here.components().count());
    let bin = folder.path().join("bin");
    assert!(Path::new(&format!("{up}{}/helm", bin.display())).exists());
    let path = format!(
        "{up}{}::{}/no-program",
        bin.display(),
        folder.path().display()
    );
    options.environment = vec![("PATH".into(), path.into())];
    assert_eq!(
        message(load_path(folder.path(), &options).await, folder.path()),
        "helm is not on PATH, and charts are rendered by it; install helm 3 or 4 \
         (https://helm.sh/docs/intro/install), or render the chart elsewhere and give the manifests"
    );
    assert_eq!(
        message(
            load_path(folder.path().join("k"), &options).await,
            folder.path()
        ),
        "neither kubectl nor kustomize is on PATH, and kustomizations are built by either; install one of them \
         (https://kubernetes.io/docs/tasks/tools), or build the kustomization elsewhere and give the manifests"
    );
}

#[tokio::test]
async fn a_program_gets_few_variables_no_input_and_an_empty_folder() {
    let folder = folder(&CHART);
    let script = "echo 'kind: Env'; env | sort | cut -d= -f1 | sed 's/^/# /'; ls; cat; echo \"# $KUBECONFIG\"; echo \"# $*\"";
    let mut options = fake(folder.path(), "helm", script);
    for name in [
        "HELM_DEBUG",
        "HELM_KUBETOKEN",
        "KUBECONFIG",
        "AWS_SECRET_ACCESS_KEY",
        "https_proxy",
        "XDG_CACHE_HOME",
    ] {
        options.environment.push((name.into(), "x".into()));
    }
    options.set = vec!["--post-renderer=evil".into()];
    options.release = Some("--debug".into());
    let bundle = load_path(folder.path(), &options).await.expect("a bundle");
    let text = &bundle.files[0].text;
    let seen: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD"))
        .collect();
    let arguments = format!(
        "template --include-crds --namespace=default --set=--post-renderer=evil -- --debug {}",
        folder.path().display()
    );
    assert_eq!(
        seen,
        [
            "GIT_TERMINAL_PROMPT",
            "HELM_DEBUG",
            "HOME",
            "KUBECONFIG",
            "PATH",
            "XDG_CACHE_HOME",
            "https_proxy",
            "/dev/null",
            &arguments
        ]
    );
    assert_eq!(
        text.lines().filter(|line| !line.starts_with('#')).count(),
        1,
        "{text}"
    );
}

#[tokio::test]
async fn the_output_of_a_program_is_capped() {
    let folder = folder(&CHART);
    let mut options = fake(folder.path(), "helm", "exec cat /dev/zero");
    options.limits.input = 1 << 20;
    assert_eq!(
        message(load_path(folder.path(), &options).await, folder.path()),
        "the output of helm for FOLDER is larger than 1 MiB (--max-input-size raises the limit)"
    );
}

#[tokio::test]
async fn much_error_output_neither_blocks_nor_floods() {
    let folder = folder(&CHART);
    let script =
        "yes 'get https://user:canary@host/x?k=canary failed' | head -c 3000000 >&2; exit 3";
    let options = fake(folder.path(), "helm", script);
    let text = message(load_path(folder.path(), &options).await, folder.path());
    assert!(
        text.starts_with("helm failed on FOLDER (exit status: 3):\n  "),
        "{text}"
    );
    assert!(text.contains("get https://host/x?k=*** failed"), "{text}");
    assert!(
        !text.contains("canary") && text.lines().count() <= 21,
        "{text}"
    );
}

#[tokio::test]
async fn a_program_ends_with_the_cancellation_and_has_no_deadline() {
    let folder = folder(&CHART);
    let pid = folder.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 600", pid.display());
    let mut options = fake(folder.path(), "helm", &script);
    options.timeout = Duration::ZERO;
    let cancel = CancellationToken::new();
    let source = Source::Path(folder.path().to_path_buf());
    let (outcome, ()) = tokio::join!(load(&source, &options, cancel.clone()), async {
        while !fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.cancel();
    });
    assert!(matches!(outcome, Err(Error::Cancelled { .. })));
    assert!(!is_running(&pid));
}

fn is_running(pid: &Path) -> bool {
    let pid = fs::read_to_string(pid).expect("the script wrote it");
    PathBuf::from("/proc").join(pid.trim()).exists()
}

#[tokio::test]
async fn values_can_come_through_a_pipe_of_the_shell() {
    let folder = folder(&CHART);
    let script = "for a; do case $a in --values=*) echo 'kind: Seen'; sed 's/^/# /' \"${a#--values=}\";; esac; done";
    let mut options = fake(folder.path(), "helm", script);
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    std::io::Write::write_all(&mut writer, b"image: piped\n").expect("written");
    drop(writer);
    let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
    options.values = vec![format!("/dev/fd/{number}").into()];
    let bundle = load_path(folder.path(), &options).await.expect("a bundle");
    assert_eq!(bundle.files[0].text, "kind: Seen\n# image: piped\n");
    options.values = vec![folder.path().join("gone.yaml")];
    assert_eq!(
        message(load_path(folder.path(), &options).await, folder.path()),
        "FOLDER/gone.yaml does not exist"
    );
}

#[tokio::test]
async fn bad_combinations_are_usage_errors() {
    let folder = folder(&CHART);
    for (source, repo, version, expected) in [
        (
            "-",
            Some("https://h/x"),
            None,
            "--repo: takes the name of a chart beside it, which - is not",
        ),
        (
            "a/b",
            Some("https://h/x"),
            None,
            "--repo: \"a/b\" is not the name of a chart",
        ),
        (
            "--x",
            Some("https://h/x"),
            None,
            "--repo: \"--x\" is not the name of a chart",
        ),
        (
            "shop",
            Some("./x"),
            None,
            "--repo: takes an address that begins with http://, https:// or oci://",
        ),
        (
            "shop",
            Some("https://u:canary@h"),
            None,
            "--repo: credentials in an address would be visible to other users of this machine; pull the chart and name the file",
        ),
        (
            "shop",
            Some("https://"),
            None,
            "--repo: the host is missing (at character 9)",
        ),
        (
            "oci://h/shop:1.0.0",
            None,
            Some("2.0.0"),
            "--chart-version: 2.0.0 contradicts the tag of oci://h/shop:1.0.0",
        ),
        (
            "FOLDER",
            None,
            Some("1.0.0"),
            "--chart-version: chooses among the versions in a registry or repository, and FOLDER is one chart",
        ),
    ] {
        let options = Options {
            repo: repo.map(str::to_owned),
            version: version.map(str::to_owned),
            ..options()
        };
        let place = folder.path().display().to_string();
        let source = source.replace("FOLDER", &place).parse().expect("a source");
        let error = load(&source, &options, CancellationToken::new())
            .await
            .expect_err("refused");
        assert_eq!(error.to_string().replace(&place, "FOLDER"), expected);
        assert_eq!(error.class(), Class::Usage);
    }
}
