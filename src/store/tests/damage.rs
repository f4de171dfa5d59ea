//! Damaged stores: noticed, left alone, salvaged; backups.

use super::*;

/// A store with forty designs of two versions each, closed.
async fn filled(place: &Place) {
    let store = place.open().await;
    let both = |n: u32, round| {
        design(
            &format!("design-{n:02}"),
            json!({"n": n, "round": round, "text": "x".repeat(50), "pad": (0..200).map(|i| i * n).collect::<Vec<_>>()}),
        )
    };
    let mut designs: Vec<_> = (0..40).map(|n| both(n, 1)).collect();
    designs.push(secret_design("secret", "1"));
    store.save_designs(designs).await.expect("saved");
    store
        .save_designs((0..40).map(|n| both(n, 2)).collect())
        .await
        .expect("saved");
    for n in 0..3u32 {
        let at = Timestamp::from_second(i64::from(n)).expect("a time");
        let operation = OperationRecord {
            summary: OperationSummary {
                id: Uuid::from_u128(u128::from(n)),
                kind: "design deploy".to_owned(),
                state: OperationState::Succeeded,
                started_at: at,
                finished_at: at,
                request: "deploy".to_owned(),
                error: None,
            },
            outcome: json!(n),
        };
        store.save_operation(operation).await.expect("saved");
    }
    store.close().await.expect("closed");
}

fn damage(place: &Place, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = fs::read(place.path()).expect("the store");
    change(&mut bytes);
    fs::write(place.path(), &bytes).expect("written");
    bytes
}

/// Everything that a user may ask of a store.
async fn use_all(options: Options) -> Result<()> {
    let store = Store::open(options).await?;
    let list = store.list_designs(&ListDesigns::default()).await?;
    for design in list.items {
        for version in store.design_versions(design.id).await? {
            store
                .find_design(&design.name, Some(&version.version))
                .await?;
        }
    }
    store.list_operations(None).await.map(drop)
}

#[tokio::test]
async fn salvage_takes_what_is_left() {
    struct Case {
        name: &'static str,
        change: fn(&mut Vec<u8>),
        least_designs: u64,
    }
    let cases = [
        Case {
            name: "magic",
            change: |b| b[..16].fill(b'#'),
            least_designs: 41,
        },
        Case {
            name: "first page",
            change: |b| b[..4096].fill(0xa5),
            least_designs: 41,
        },
        Case {
            name: "truncated",
            change: |b| b.truncate(b.len() * 2 / 3 / 4096 * 4096),
            least_designs: 10,
        },
        Case {
            name: "cut within a page",
            change: |b| b.truncate(b.len() / 2 + 100),
            least_designs: 5,
        },
        Case {
            name: "every seventh page",
            change: |b| {
                b.chunks_mut(4096)
                    .skip(3)
                    .step_by(7)
                    .for_each(|page| page.fill(0xff));
            },
            least_designs: 5,
        },
    ];
    for case in cases {
        let place = Place::new();
        filled(&place).await;
        let damaged = damage(&place, case.change);
        let error = use_all(place.options()).await.expect_err(case.name);
        assert!(
            matches!(error, Error::Damaged { .. }),
            "{}: {error:?}",
            case.name
        );
        assert!(
            fs::read(place.path()).expect("it") == damaged,
            "{}: changed",
            case.name
        );
        let checks = check(&place.options()).await;
        let broken = checks
            .iter()
            .find(|check| !check.passed)
            .expect("a failed check");
        assert_eq!(broken.fix, Some(Fix::Recover), "{}: {checks:#?}", case.name);

        let done = recover(&place.options(), &RecoverFrom::Salvage)
            .await
            .expect(case.name);
        assert!(
            fs::read(&done.moved[0]).expect("moved") == damaged,
            "{}: lost",
            case.name
        );
        let [designs, versions, _] = &*done.tables else {
            panic!("three tables")
        };
        assert!(
            designs.recovered >= case.least_designs,
            "{}: {done:#?}",
            case.name
        );
        assert!(
            versions.recovered >= designs.recovered && versions.lost > 0 || designs.lost == 0,
            "{}: {done:#?}",
            case.name
        );
        use_all(place.options()).await.expect(case.name);
        let checks = check(&place.options()).await;
        assert!(
            checks.iter().all(|check| check.passed),
            "{}: {checks:#?}",
            case.name
        );
        let store = place.open().await;
        store
            .save_design(design("new", json!(1)))
            .await
            .expect("usable");
    }
}

#[tokio::test]
async fn a_sound_store_is_salvaged_whole() {
    let place = Place::new();
    filled(&place).await;
    let store = place.open().await;
    let before = store
        .list_designs(&ListDesigns::default())
        .await
        .expect("a list");
    let operations = store.list_operations(None).await.expect("a list");
    let busy = recover(&place.options(), &RecoverFrom::Salvage)
        .await
        .expect_err("in use");
    assert!(matches!(busy, Error::Busy { .. }), "{busy}");
    store.close().await.expect("closed");
    let done = recover(&place.options(), &RecoverFrom::Salvage)
        .await
        .expect("recovered");
    let counts: Vec<_> = done
        .tables
        .iter()
        .map(|t| (t.table, t.recovered, t.lost))
        .collect();
    assert_eq!(
        counts,
        [
            ("design", 41, 0),
            ("design_version", 81, 0),
            ("operation", 3, 0)
        ]
    );
    let store = place.open().await;
    assert_eq!(
        store
            .list_designs(&ListDesigns::default())
            .await
            .expect("a list"),
        before
    );
    assert_eq!(
        store.list_operations(None).await.expect("a list"),
        operations
    );
    let secret = store
        .find_design("secret", None)
        .await
        .expect("found")
        .summary;
    assert!(
        store
            .design_secrets(secret.id, "1")
            .await
            .expect("opens")
            .is_some()
    );
}

#[tokio::test]
async fn a_flipped_bit_in_a_document_is_noticed() {
    let place = Place::new();
    filled(&place).await;
    place
        .tamper(
            "UPDATE design_version SET body = CAST(substr(body, 1, 40) || \
             CASE hex(substr(body, 41, 1)) WHEN '00' THEN x'01' ELSE x'00' END || \
             substr(body, 42) AS BLOB) WHERE name = 'design-07' AND version = '2'",
        )
        .await;
    let store = place.open().await;
    let error = store
        .find_design("design-07", None)
        .await
        .expect_err("damaged");
    assert!(
        error
            .to_string()
            .contains(r#"design "design-07" version "2""#),
        "{error}"
    );
    store
        .find_design("design-07", Some("1"))
        .await
        .expect("the other version is fine");
    store.close().await.expect("closed");
    let done = recover(&place.options(), &RecoverFrom::Salvage)
        .await
        .expect("recovered");
    let counts: Vec<_> = done.tables.iter().map(|t| (t.recovered, t.lost)).collect();
    assert_eq!(counts, [(41, 0), (80, 1), (3, 0)]);
    let found = place
        .open()
        .await
        .find_design("design-07", None)
        .await
        .expect("found");
    assert_eq!(found.summary.version, "1");
}

#[tokio::test]
async fn remains_of_a_store_are_not_a_fresh_start() {
    let place = Place::new();
    filled(&place).await;
    let whole = fs::read(place.path()).expect("the store");
    fs::write(place.path(), b"").expect("emptied");
    let error = Store::open(place.options()).await.expect_err("empty");
    assert!(
        error.to_string().ends_with("is damaged: the file is empty"),
        "{error}"
    );
    fs::remove_file(place.path()).expect("removed");
    fs::write(place.home().join("weft.db-wal"), b"log").expect("written");
    let error = Store::open(place.options()).await.expect_err("a log alone");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    fs::remove_file(place.home().join("weft.db-wal")).expect("removed");

    // A recovery that was interrupted between its last two steps is finished by the next.
    fs::write(
        place.home().join("weft.db.recovered-20260101T000000Z"),
        whole,
    )
    .expect("written");
    let error = Store::open(place.options()).await.expect_err("interrupted");
    assert!(
        error.to_string().contains("a recovery was interrupted"),
        "{error}"
    );
    let done = recover(&place.options(), &RecoverFrom::Salvage)
        .await
        .expect("finished");
    assert_eq!(done.tables[0].recovered, 41);
    use_all(place.options()).await.expect("usable");
}

#[tokio::test]
async fn a_damaged_store_keeps_its_log() {
    let place = Place::new();
    let store = place.open().await;
    store
        .save_design(design("shop", json!(1)))
        .await
        .expect("saved");
    let copy = Place::new();
    fs::create_dir(copy.home()).expect("a folder");
    for (name, bytes) in place.bytes() {
        fs::write(copy.home().join(name), bytes).expect("written");
    }
    damage(&copy, |bytes| bytes[..100].fill(0));
    let before = copy.bytes();
    let _ = use_all(copy.options()).await;
    let after = copy.bytes();
    let done = recover(&copy.options(), &RecoverFrom::Salvage)
        .await
        .expect("recovered");
    assert_eq!(
        done.tables[0].recovered,
        1,
        "{done:?} {}",
        after["weft.db"] == before["weft.db"]
    );
}

#[tokio::test]
async fn a_backup_is_one_whole_file() {
    let place = Place::new();
    filled(&place).await;
    let store = place.open().await;
    store
        .save_design(design("late", json!(1)))
        .await
        .expect("saved");
    let target = place.folder.path().join("copy.db");
    let backup = store.backup(&target, false).await.expect("backed up");
    let bytes = fs::read(&target).expect("the copy");
    assert_eq!(backup.size, bytes.len() as u64);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    assert_eq!(
        backup.sha256,
        format!("{digest:?}").trim_start_matches("SHA256:")
    );
    for path in [
        &target,
        &place.path(),
        &files::with_suffix(&place.path(), "-wal"),
    ] {
        let error = store
            .backup(path, *path != target)
            .await
            .expect_err("refused");
        assert!(matches!(error, Error::Exists { .. }), "{error}");
    }
    store.backup(&target, true).await.expect("replaced");
    store
        .save_design(design("later", json!(1)))
        .await
        .expect("saved");
    store.close().await.expect("closed");
    let left: Vec<_> = fs::read_dir(place.folder.path())
        .expect("a folder")
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");

    let from = RecoverFrom::Backup(target.clone());
    recover(&place.options(), &from).await.expect("restored");
    let store = place.open().await;
    store
        .find_design("late", None)
        .await
        .expect("in the backup");
    store
        .find_design("later", None)
        .await
        .expect_err("not in the backup");
    store.close().await.expect("closed");

    fs::write(&target, &bytes[..bytes.len() / 2]).expect("cut");
    let before = place.bytes();
    let error = recover(&place.options(), &from)
        .await
        .expect_err("a bad backup");
    assert!(
        matches!(&error, Error::Damaged { path, .. } if *path == target),
        "{error}"
    );
    assert!(place.bytes() == before, "a file changed");
}
