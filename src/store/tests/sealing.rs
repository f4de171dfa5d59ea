//! Secrets, their key, and that they leak nowhere.

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use super::*;

fn mode(path: &Path) -> u32 {
    let found = fs::metadata(path).expect("it exists");
    found.permissions().mode() & 0o7777
}

#[tokio::test]
async fn secrets_come_back_and_are_compared() {
    let place = Place::new();
    let store = place.open().await;
    let saved = store
        .save_design(secret_design("shop", "1"))
        .await
        .expect("saved");
    let secrets = store
        .design_secrets(saved.id, "1")
        .await
        .expect("opens")
        .expect("some");
    assert_eq!(secrets.expose(), [CANARY, b"1"].concat());
    assert_eq!(format!("{secrets:?}"), "••••");
    let changed = store
        .save_design(secret_design("shop", "2"))
        .await
        .expect("saved");
    assert_eq!(changed.outcome, Outcome::Updated, "only the secret differs");
    let removed = NewDesign {
        secrets: None,
        ..secret_design("shop", "2")
    };
    let removed = store.save_design(removed).await.expect("saved");
    assert_eq!(removed.outcome, Outcome::Updated);
    assert!(
        store
            .design_secrets(saved.id, "3")
            .await
            .expect("none")
            .is_none()
    );
    assert!(
        !store
            .find_design("shop", None)
            .await
            .expect("found")
            .summary
            .has_secrets
    );
    assert!(
        store
            .find_design("shop", Some("2"))
            .await
            .expect("found")
            .summary
            .has_secrets
    );
    let missing = store
        .design_secrets(saved.id, "4")
        .await
        .expect_err("no such version");
    assert!(matches!(missing, Error::NotFound { .. }));
}

#[tokio::test]
async fn no_file_holds_a_secret_in_plain_text() {
    let place = Place::new();
    let store = place.open().await;
    for n in 0..20 {
        store
            .save_design(secret_design("shop", &n.to_string()))
            .await
            .expect("saved");
    }
    let backup = place.home().join("copy.db");
    store.backup(&backup, false).await.expect("backed up");
    // The log is still there: another handle keeps it from being merged.
    let other = place.open().await;
    other
        .list_designs(&ListDesigns::default())
        .await
        .expect("a list");
    let leaks = |bytes: &BTreeMap<String, Vec<u8>>| {
        let leaking = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|part| part == CANARY);
        let mut names: Vec<_> = bytes.keys().cloned().collect();
        names.retain(|name| leaking(&bytes[name]));
        names
    };
    let open = place.bytes();
    assert!(open["weft.db-wal"].len() > 4096);
    assert_eq!(leaks(&open), [""; 0]);
    drop((store, other));
    tokio::time::sleep(Duration::from_millis(100)).await;
    recover(&place.options(), &RecoverFrom::Salvage)
        .await
        .expect("recovered");
    recover(&place.options(), &RecoverFrom::Backup(backup))
        .await
        .expect("recovered");
    let closed = place.bytes();
    assert_eq!(leaks(&closed), [""; 0]);
    for name in closed.keys() {
        assert_eq!(mode(&place.home().join(name)), 0o600, "{name}");
    }
    assert_eq!(mode(&place.home()), 0o700);
    let store = place.open().await;
    let found = store
        .find_design("shop", None)
        .await
        .expect("found")
        .summary;
    assert!(
        store
            .design_secrets(found.id, "7")
            .await
            .expect("opens")
            .is_some()
    );
}

#[tokio::test]
async fn files_are_private_from_the_start() {
    let place = Place::new();
    let store = place.open().await;
    store
        .save_design(secret_design("shop", "1"))
        .await
        .expect("saved");
    assert_eq!(
        place.names(),
        [
            "store.key",
            "weft.db",
            "weft.db-shm",
            "weft.db-wal",
            "weft.db.lock"
        ]
    );
    for name in place.names() {
        assert_eq!(mode(&place.home().join(&name)), 0o600, "{name}");
    }
    assert_eq!(mode(&place.home()), 0o700);
    assert_eq!(
        fs::read(place.home().join("store.key"))
            .expect("the key")
            .len(),
        32
    );
}

#[tokio::test]
async fn no_key_is_made_before_it_is_needed() {
    let place = Place::new();
    let store = place.open().await;
    store
        .save_design(design("shop", json!(1)))
        .await
        .expect("saved");
    assert!(!place.home().join("store.key").exists());
}

#[tokio::test]
async fn a_key_that_others_may_read_is_refused() {
    let place = Place::new();
    let store = place.open().await;
    let key = place.home().join("store.key");
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o640);
    std::io::Write::write_all(&mut options.open(&key).expect("a key"), &[7; 32]).expect("written");
    let error = store
        .save_design(secret_design("shop", "1"))
        .await
        .expect_err("refused");
    assert!(matches!(error, Error::KeyExposed { mode: 0o640, .. }));
    assert!(
        error
            .to_string()
            .ends_with(&format!("(fix: chmod 600 {})", key.display()))
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("chmod");
    store
        .save_design(secret_design("shop", "1"))
        .await
        .expect("saved with the given key");
    assert_eq!(fs::read(&key).expect("the key"), [7; 32]);
}

#[tokio::test]
async fn without_its_key_sealed_data_is_refused_and_no_other_key_is_made() {
    let place = Place::new();
    let store = place.open().await;
    let id = store
        .save_design(secret_design("shop", "1"))
        .await
        .expect("saved")
        .id;
    store.close().await.expect("closed");
    let key = place.home().join("store.key");
    let kept = fs::read(&key).expect("the key");
    fs::remove_file(&key).expect("removed");

    let store = place.open().await;
    let error = store.design_secrets(id, "1").await.expect_err("refused");
    assert!(matches!(&error, Error::KeyMissing { key: k, .. } if *k == key));
    assert!(
        error.to_string().contains("store.key is missing"),
        "{error}"
    );
    let error = store
        .save_design(secret_design("other", "1"))
        .await
        .expect_err("refused");
    assert!(matches!(error, Error::KeyMissing { .. }));
    assert!(!key.exists());
    assert_eq!(
        store
            .find_design("shop", None)
            .await
            .expect("found")
            .document,
        json!({"name": "shop"})
    );
    let checks = check(&place.options()).await;
    let failed: Vec<_> = checks.iter().filter(|check| !check.passed).collect();
    assert_eq!(failed.len(), 1, "{checks:#?}");
    assert_eq!(failed[0].fix, Some(Fix::RestoreKey(key.clone())));

    let wrong = || private(&key, &[9; 32]);
    wrong();
    let error = store.design_secrets(id, "1").await.expect_err("refused");
    assert!(matches!(error, Error::KeyWrong { .. }), "{error}");
    let error = store
        .save_design(secret_design("other", "1"))
        .await
        .expect_err("refused");
    assert!(matches!(error, Error::KeyWrong { .. }), "{error}");
    fs::remove_file(&key).expect("removed");
    private(&key, &[9; 31]);
    let error = store.design_secrets(id, "1").await.expect_err("refused");
    assert!(
        matches!(error, Error::KeyMalformed { size: 31, .. }),
        "{error}"
    );
    fs::remove_file(&key).expect("removed");
    private(&key, &kept);
    assert!(
        store
            .design_secrets(id, "1")
            .await
            .expect("opens")
            .is_some()
    );
}

fn private(path: &Path, bytes: &[u8]) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    std::io::Write::write_all(&mut options.open(path).expect("a file"), bytes).expect("written");
}

#[tokio::test]
async fn once_nothing_is_sealed_a_lost_key_may_be_replaced() {
    let place = Place::new();
    let store = place.open().await;
    let id = store
        .save_design(secret_design("shop", "1"))
        .await
        .expect("saved")
        .id;
    store.delete_design(id).await.expect("deleted");
    store.close().await.expect("closed");
    fs::remove_file(place.home().join("store.key")).expect("removed");
    let store = place.open().await;
    let id = store
        .save_design(secret_design("shop", "2"))
        .await
        .expect("saved")
        .id;
    assert!(
        store
            .design_secrets(id, "1")
            .await
            .expect("opens")
            .is_some()
    );
}

#[tokio::test]
async fn a_sealed_blob_does_not_open_in_another_row() {
    let place = Place::new();
    let store = place.open().await;
    let one = store
        .save_design(secret_design("one", "1"))
        .await
        .expect("saved")
        .id;
    let two = store
        .save_design(secret_design("two", "2"))
        .await
        .expect("saved")
        .id;
    store
        .save_design(secret_design("two", "3"))
        .await
        .expect("saved");
    store.close().await.expect("closed");
    place
        .tamper(
            "UPDATE design_version SET sealed = CASE (name || version) \
             WHEN 'one1' THEN (SELECT sealed FROM design_version WHERE name = 'two' AND version = '1') \
             WHEN 'two1' THEN (SELECT sealed FROM design_version WHERE name = 'two' AND version = '2') \
             ELSE sealed END",
        )
        .await;
    let store = place.open().await;
    for id in [one, two] {
        let error = store.design_secrets(id, "1").await.expect_err("refused");
        assert!(
            matches!(error, Error::Sealed { design, .. } if design == id),
            "{error}"
        );
    }
    assert!(
        store
            .design_secrets(two, "2")
            .await
            .expect("opens")
            .is_some()
    );
    let checks = check(&place.options()).await;
    assert!(
        checks
            .iter()
            .any(|check| check.name == "secrets" && !check.passed)
    );
}

#[test]
fn writers_that_need_the_first_key_agree_on_one() {
    let place = Place::new();
    let home = place.home();
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let options = options_in(&home);
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async {
                    let store = Store::open(options).await.expect("opens");
                    let new = secret_design(&n.to_string(), "x");
                    store.save_design(new).await.expect("saved").id
                })
            })
        })
        .collect();
    let ids: Vec<_> = threads
        .into_iter()
        .map(|t| t.join().expect("no panic"))
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let store = place.open().await;
        for id in ids {
            assert!(
                store
                    .design_secrets(id, "1")
                    .await
                    .expect("opens")
                    .is_some()
            );
        }
    });
}
