use super::*;
use crate::inventory::{Random, parent_name};
use crate::secret::MASK;

fn parent() -> Parent {
    Parent::new(&parent_name("shop"), "shop", "shop")
}

fn revision(number: u64) -> Revision {
    Revision {
        number,
        created_at: "2026-06-01T10:00:00Z".into(),
        design: "shop".into(),
        version: Some("0.0.3".into()),
        cause: Some("more replicas".into()),
        options: RevisionOptions {
            namespace: Some("shop".into()),
            overlays: vec!["prod".into(), "eu".into()],
            of_rows: None,
        },
        outcome: Outcome::Deployed,
        objects: vec![
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                "spec": {"replicas": 3}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
                "data": {"password": "CANARY", "user": "CANARY", "none": null}}),
            json!({"apiVersion": "v1", "kind": "List", "items": [
                {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b"},
                    "data": {"key": "CANARY"}}]}),
        ],
    }
}

/// Not a cipher, but it turns the text into another one.
fn seal(plain: &[u8]) -> Result<Vec<u8>, BoxError> {
    if plain.is_empty() {
        return Err("there is nothing to seal".into());
    }
    Ok(plain.iter().map(|byte| byte ^ 0x55).collect())
}

fn never(_: &[u8]) -> Result<Vec<u8>, BoxError> {
    Err("no key".into())
}

fn encoded(revision: &Revision) -> Vec<u8> {
    let encoded = revision.encode(parent().id(), &seal);
    encoded.expect("it is small and has a key")
}

fn secrets(revision: &Revision) -> Vec<Value> {
    let secrets = revision.secrets(&parent(), &encoded(revision));
    secrets.expect("it is small")
}

fn plain(bytes: &[u8]) -> String {
    use std::io::Read as _;
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(bytes);
    decoder
        .read_to_string(&mut text)
        .expect("it is gzip over text");
    text
}

/// A revision that doesn't compress, over several Secrets.
fn large(number: u64) -> Revision {
    let mut random = Random::new(number);
    let noise: String = (0..60_000).map(|_| random.uid()).collect();
    let mut revision = revision(number);
    revision
        .objects
        .push(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "noise"}, "data": {"noise": noise}}));
    revision
}

#[test]
fn a_revision_comes_back_with_its_secrets_and_never_shows_them() {
    let revision = revision(4);
    let bytes = encoded(&revision);
    let text = plain(&bytes);
    assert!(
        !text.contains("CANARY") && text.contains("password"),
        "{text}"
    );
    assert!(!format!("{revision:?}").contains("CANARY"));
    let sealed = SealedRevision::decode(&bytes, parent().id(), 4).expect("it was just written");
    assert!(sealed.has_secrets());
    assert!(!format!("{sealed:?}").contains("CANARY"));
    assert_eq!(sealed.clone().open(&seal).expect("the key fits"), revision);

    let masked = sealed.clone().masked();
    assert_eq!(masked.objects[0], revision.objects[0]);
    assert_eq!(masked.objects[1]["data"]["password"], MASK);
    assert_eq!(masked.objects[2]["items"][0]["data"]["key"], MASK);
    let error = sealed.open(&never).expect_err("there is no key");
    assert!(matches!(&error, RevisionError::Open(reason) if reason.to_string() == "no key"));
    // The same revision gives the same bytes.
    assert_eq!(encoded(&revision), bytes);
}

#[test]
fn without_secrets_no_key_is_asked_for() {
    let mut revision = revision(4);
    revision.objects.truncate(1);
    let bytes = revision
        .encode(parent().id(), &never)
        .expect("no key is needed");
    let sealed = SealedRevision::decode(&bytes, parent().id(), 4).expect("it was just written");
    assert!(!sealed.has_secrets());
    assert_eq!(sealed.open(&never).expect("no key is needed"), revision);
    let error = super::tests::revision(4).encode(parent().id(), &never);
    assert!(matches!(error, Err(RevisionError::Seal(_))));
}

#[test]
fn sealed_values_that_do_not_fit_are_refused_without_showing_them() {
    let bytes = encoded(&revision(4));
    let sealed = SealedRevision::decode(&bytes, parent().id(), 4).expect("it was just written");
    let at =
        |index: usize, path: &str| format!(r#"[[{index},[{{"at":{path},"value":"CANARY"}}]]]"#);
    let cases = [
        "\"CANARY\"".to_owned(),
        r#"[["CANARY",[]]]"#.to_owned(),
        at(9, r#"["data","password"]"#),
        at(1, r#"["data","gone"]"#),
        at(1, r#"["metadata","name"]"#),
        "[".repeat(500),
    ];
    for plain in cases {
        let open = |_: &[u8]| -> Result<Vec<u8>, BoxError> { Ok(plain.clone().into_bytes()) };
        let error = sealed.clone().open(&open).expect_err("it doesn't fit");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}

#[test]
fn what_is_not_this_revision_is_refused() {
    let bytes = encoded(&revision(4));
    let other = SetId::of_parent("weftctl-shop", "stage");
    for (set, number) in [(parent().id(), 5), (&other, 4)] {
        let error = SealedRevision::decode(&bytes, set, number);
        assert!(matches!(
            error,
            Err(RevisionError::Another { found: 4, .. })
        ));
    }
    let newer = packed::pack_text(br#"{"format":2}"#);
    let error = SealedRevision::decode(&newer, parent().id(), 4).expect_err("it is newer");
    assert!(matches!(
        error,
        RevisionError::Packed(PackedError::NewerFormat { format: 2, .. })
    ));
    for end in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        let error = SealedRevision::decode(&bytes[..end], parent().id(), 4);
        assert!(matches!(error, Err(RevisionError::Packed(_))), "{end}");
    }
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let deep = |depth: usize| (0..depth).fold(json!(1), |value, _| Value::Array(vec![value]));
    let with = |object: Value| {
        let mut revision = revision(4);
        revision.objects.push(object);
        revision.encode(parent().id(), &seal)
    };
    let secret = |value: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": {"a": value}});
    for object in [deep(DEPTH), secret(deep(DEPTH - 2))] {
        let bytes = with(object).expect("it is as deep as allowed");
        let read = SealedRevision::decode(&bytes, parent().id(), 4).expect("it was just written");
        assert!(read.open(&seal).is_ok());
    }
    for object in [deep(DEPTH + 1), deep(2000), secret(deep(DEPTH))] {
        assert!(matches!(
            with(object),
            Err(RevisionError::Packed(PackedError::TooDeep { .. }))
        ));
    }
    assert!(matches!(
        with(json!({"x": "y".repeat(33 << 20)})),
        Err(RevisionError::Packed(PackedError::TooLarge { .. }))
    ));
}

#[test]
fn the_secrets_of_a_small_revision_are_one() {
    let mut secrets = secrets(&revision(4));
    assert_eq!(secrets.len(), 1);
    let mut secret = secrets.remove(0);
    assert!(secret["data"].take()["chunk"].is_string());
    let annotations = secret["metadata"]["annotations"].take();
    assert_eq!(
        secret,
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "weftctl-shop-rev-4-1",
                "namespace": "shop",
                "labels": {
                    "weftctl.dev/set": parent().id(),
                    "weftctl.dev/revision": "4",
                    "weftctl.dev/outcome": "deployed",
                },
                "annotations": null,
            },
            "type": "weftctl.dev/revision",
            "immutable": true,
            "data": null,
        })
    );
    assert_eq!(annotations["weftctl.dev/chunk"], "1/1");
    assert_eq!(
        annotations["weftctl.dev/summary"],
        r#"{"createdAt":"2026-06-01T10:00:00Z","design":"shop","version":"0.0.3","cause":"more replicas","options":{"namespace":"shop","overlays":["prod","eu"]},"objects":3}"#
    );
}

#[test]
fn a_large_revision_is_split_and_found_among_others() {
    let (old, new) = (large(3), large(4));
    let mut live = secrets(&new);
    assert!(live.len() >= 2, "{}", live.len());
    live.extend(secrets(&old));
    live.extend(secrets(&revision(5)));
    live.push(parent().to_secret().expect("it is small"));
    live.push(json!({"metadata": {"name": "x", "labels": null}}));
    live.reverse();
    let mut random = Random::new(1);
    for _ in 0..5 {
        for at in (1..live.len()).rev() {
            live.swap(
                at,
                usize::try_from(random.below(at as u64 + 1)).unwrap_or(0),
            );
        }
        for revision in [&old, &new] {
            let sealed = SealedRevision::from_secrets(&live, parent().id(), revision.number);
            let read = sealed.and_then(|sealed| sealed.open(&seal));
            assert!(read.expect("all of it is there") == *revision);
        }
        let entries = history(&live, parent().id());
        let numbers: Vec<_> = entries.iter().map(|e| (e.number, e.is_complete)).collect();
        assert_eq!(numbers, [(5, true), (4, true), (3, true)]);
        assert_eq!(
            entries[1].secrets[..2],
            ["weftctl-shop-rev-4-1", "weftctl-shop-rev-4-2"]
        );
        assert_eq!(entries[1].outcome, Some(Outcome::Superseded));
        let summary = entries[2].summary.as_ref().expect("it has one");
        assert_eq!(
            (summary.cause.as_deref(), summary.objects),
            (Some("more replicas"), 4)
        );
    }
    let none = SealedRevision::from_secrets(&live, parent().id(), 9);
    assert!(matches!(
        none,
        Err(RevisionError::Join(JoinError::Missing { found: 0, .. }))
    ));
    let other = SetId::of_parent("weftctl-shop", "stage");
    assert_eq!(history(&live, &other), []);
}

#[test]
fn lost_mixed_and_moved_secrets_are_noticed() {
    let whole = secrets(&large(4));
    let read = |live: &[Value]| SealedRevision::from_secrets(live, parent().id(), 4);
    assert!(read(&whole).is_ok());

    for lost in 0..whole.len() {
        let mut live = whole.clone();
        live.remove(lost);
        assert!(matches!(
            read(&live),
            Err(RevisionError::Join(JoinError::Missing { .. }))
        ));
        let entries = history(&live, parent().id());
        assert!(!entries[0].is_complete);
        assert_eq!(entries[0].summary.is_some(), lost > 0);
        assert_eq!(entries[0].outcome.is_some(), lost > 0);
    }

    // Two attempts to write one number.
    let mut mixed = whole.clone();
    let mut other = secrets(&large(7));
    other[1]["metadata"]["labels"][REVISION_LABEL] = "4".into();
    mixed[1] = other.remove(1);
    assert!(matches!(
        read(&mixed),
        Err(RevisionError::Join(JoinError::Mixed))
    ));
    assert!(!history(&mixed, parent().id())[0].is_complete);

    let mut moved = whole.clone();
    for (at, place) in [(0, 1), (1, 0)] {
        let annotation = whole[place]["metadata"]["annotations"][CHUNK_ANNOTATION].clone();
        moved[at]["metadata"]["annotations"][CHUNK_ANNOTATION] = annotation;
    }
    assert!(matches!(
        read(&moved),
        Err(RevisionError::Join(JoinError::Damaged))
    ));

    let mut renumbered = whole.clone();
    for secret in &mut renumbered {
        secret["metadata"]["labels"][REVISION_LABEL] = "6".into();
    }
    let error = SealedRevision::from_secrets(&renumbered, parent().id(), 6);
    assert!(matches!(
        error,
        Err(RevisionError::Another { found: 4, .. })
    ));

    for (data, problem) in [
        (json!(null), "it has no data"),
        (json!("*"), "its data is not base64"),
        (
            json!("A".repeat(2 << 20)),
            "it is larger than a Secret can be",
        ),
    ] {
        let mut live = whole.clone();
        live[1]["data"]["chunk"] = data;
        let error = read(&live).expect_err("it is damaged").to_string();
        assert_eq!(
            error,
            format!("Secret weftctl-shop-rev-4-2 of the revision is damaged: {problem}")
        );
    }
}

#[test]
fn only_the_newest_deployed_revision_is_told_to_be_deployed() {
    let (deployed, failed) = (Outcome::Deployed, Outcome::Failed);
    let back = cause_of_rollback(1);
    let live: Vec<Value> = [
        (1, deployed, "deploy"),
        (2, deployed, "deploy"),
        (3, failed, back.as_str()),
        (4, deployed, back.as_str()),
        (5, failed, "deploy"),
    ]
    .into_iter()
    .flat_map(|(number, outcome, cause)| {
        secrets(&Revision {
            outcome,
            cause: Some(cause.into()),
            ..revision(number)
        })
    })
    .collect();
    let told: Vec<_> = history(&live, parent().id())
        .into_iter()
        .map(|entry| (entry.number, entry.outcome.expect("it is whole").name()))
        .collect();
    assert_eq!(
        told,
        [
            (5, "failed"),
            (4, "deployed"),
            (3, "failed"),
            (2, "rolled-back"),
            (1, "superseded")
        ]
    );
    for outcome in Outcome::ALL {
        let json = serde_json::to_value(outcome).expect("a name has a JSON form");
        assert_eq!(json, outcome.name());
        assert_eq!(Outcome::parse(outcome.name()), Some(outcome));
    }
}

fn entry(number: u64, outcome: Option<Outcome>, is_complete: bool) -> RevisionEntry {
    RevisionEntry {
        number,
        outcome,
        summary: None,
        is_complete,
        secrets: vec![],
    }
}

#[test]
fn the_last_ten_are_kept_and_the_last_ten_that_did_not_fail() {
    let (deployed, failed) = (Some(Outcome::Deployed), Some(Outcome::Failed));
    let all = |range: std::ops::RangeInclusive<u64>, outcome| -> Vec<RevisionEntry> {
        range.map(|number| entry(number, outcome, true)).collect()
    };
    let with = |mut entries: Vec<RevisionEntry>, more: &[RevisionEntry]| {
        entries.extend_from_slice(more);
        entries
    };
    let cases: Vec<(Vec<RevisionEntry>, Vec<u64>)> = vec![
        (vec![], vec![]),
        (all(1..=10, deployed), vec![]),
        (all(1..=13, deployed), vec![1, 2, 3]),
        // Failures don't crowd out what runs.
        (
            with(all(1..=12, failed), &[entry(20, failed, true)]),
            vec![1, 2, 3],
        ),
        (with(all(3..=13, failed), &all(1..=2, deployed)), vec![3]),
        // Incomplete ones don't count; the newest may just be being written.
        (
            with(
                all(2..=11, failed),
                &[entry(1, deployed, false), entry(12, None, false)],
            ),
            vec![1],
        ),
        (
            with(
                all(2..=11, failed),
                &[entry(5, None, false), entry(1, failed, true)],
            ),
            vec![1, 5],
        ),
        (vec![entry(1, None, false), entry(2, None, false)], vec![]),
    ];
    for (mut entries, expected) in cases {
        for _ in 0..2 {
            assert_eq!(retire(&entries), expected, "{entries:?}");
            entries.reverse();
        }
    }
}

#[test]
fn numbers_only_grow() {
    let history = [entry(4, None, true), entry(9, None, false)];
    assert_eq!(next_number(&parent(), &[]), Some(1));
    assert_eq!(next_number(&parent(), &history), Some(10));
    assert_eq!(
        next_number(&parent().with_revision(12, None), &history),
        Some(13)
    );
    let grown = parent().with_revision(12, None).with_revision(3, None);
    assert_eq!(next_number(&grown, &[]), Some(13));
    let last = parent().with_revision(u64::MAX, None);
    assert_eq!(next_number(&last, &history), None);
    assert!(Parent::parse(&last.to_secret().expect("it is small")).is_ok());

    // Nobody uses up the numbers with a label.
    let mut live = secrets(&revision(4));
    for number in ["18446744073709551615", "1000000000", "0", "-1", "x", ""] {
        live[0]["metadata"]["labels"][REVISION_LABEL] = number.into();
        assert_eq!(super::history(&live, parent().id()), [], "{number}");
    }
}

#[test]
fn a_long_cause_does_not_break_the_annotation() {
    let mut revision = revision(4);
    revision.cause = Some("ä".repeat(400_000));
    revision.options.overlays = vec!["o".repeat(10_000); 1000];
    let secrets = secrets(&revision);
    let annotations = secrets[0]["metadata"]["annotations"].to_string();
    assert!(annotations.len() < 100 << 10, "{}", annotations.len());
    assert!(history(&secrets, parent().id())[0].summary.is_some());
    let read = SealedRevision::from_secrets(&secrets, parent().id(), 4);
    assert_eq!(
        read.and_then(|read| read.open(&seal)).expect("it is sound"),
        revision
    );
}
