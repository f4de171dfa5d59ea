//! Saving, finding, listing, deleting; operations.

use super::*;

#[tokio::test]
async fn a_saved_design_is_found_by_name_id_and_prefix() {
    let place = Place::new();
    let store = place.open().await;
    let document = json!({"services": {"web": {"image": "nginx"}}, "a": [1, null, "ü"]});
    let saved = store
        .save_design(design("shop", document.clone()))
        .await
        .expect("saved");
    assert_eq!((&*saved.version, saved.outcome), ("1", Outcome::Created));

    let id = saved.id.to_string();
    for key in ["shop", &id, &id[..4], &id[..13].to_uppercase()] {
        let found = store.find_design(key, None).await.expect(key);
        assert_eq!(found.summary.id, saved.id);
        assert_eq!(found.document, document);
        assert_eq!(
            found.document.to_string(),
            document.to_string(),
            "the order is kept"
        );
    }
    let summary = store
        .find_design("shop", Some("1"))
        .await
        .expect("found")
        .summary;
    assert_eq!(
        store
            .list_designs(&ListDesigns::default())
            .await
            .expect("list")
            .items,
        [summary]
    );
}

#[tokio::test]
async fn other_content_becomes_a_version_and_the_same_content_does_not() {
    let place = Place::new();
    let store = place.open().await;
    let save = async |document| {
        let saved = store
            .save_design(design("shop", document))
            .await
            .expect("saved");
        (saved.version, saved.outcome)
    };
    assert_eq!(save(json!({"n": 1})).await, ("1".into(), Outcome::Created));
    assert_eq!(
        save(json!({"n": 1})).await,
        ("1".into(), Outcome::Unchanged)
    );
    assert_eq!(save(json!({"n": 2})).await, ("2".into(), Outcome::Updated));
    assert_eq!(save(json!({"n": 1})).await, ("3".into(), Outcome::Updated));

    let id = store
        .find_design("shop", None)
        .await
        .expect("found")
        .summary
        .id;
    let versions = store.design_versions(id).await.expect("versions");
    let history: Vec<_> = versions.iter().map(|v| (&*v.version, v.sequence)).collect();
    assert_eq!(history, [("1", 1), ("2", 2), ("3", 3)]);
    assert_eq!(versions[0].hash, versions[2].hash);
    let old = store.find_design("shop", Some("2")).await.expect("found");
    assert_eq!(old.document, json!({"n": 2}));
    assert!(old.summary.updated_at > old.summary.created_at);
}

#[tokio::test]
async fn an_explicit_version_is_new_the_same_or_refused() {
    let place = Place::new();
    let store = place.open().await;
    let save = async |version: &str, document| {
        let version = NewVersion::Explicit(version.to_owned());
        let new = NewDesign {
            version,
            ..design("shop", document)
        };
        store.save_design(new).await.map(|saved| saved.outcome)
    };
    assert_eq!(
        save("1.0.0", json!(1)).await.expect("saved"),
        Outcome::Created
    );
    assert_eq!(
        save("1.1.0", json!(1)).await.expect("saved"),
        Outcome::Updated
    );
    assert_eq!(
        save("1.0.0", json!(1)).await.expect("saved"),
        Outcome::Unchanged
    );
    let refused = save("1.0.0", json!(2)).await.expect_err("refused");
    assert_eq!(
        refused.to_string(),
        r#"design "shop" already has a version "1.0.0" with other content"#
    );
    let found = store
        .find_design("shop", Some("2"))
        .await
        .expect_err("missing");
    assert!(matches!(found, Error::NoSuchVersion { known, .. } if known == ["1.0.0", "1.1.0"]));
}

#[tokio::test]
async fn a_missing_design_names_what_is_spelled_alike() {
    let place = Place::new();
    let store = place.open().await;
    for name in ["webshop", "webshops", "billing", "Webshop"] {
        store
            .save_design(design(name, json!(name)))
            .await
            .expect("saved");
    }
    let Error::NotFound { near, .. } = store
        .find_design("wepshop", None)
        .await
        .expect_err("missing")
    else {
        panic!("not found")
    };
    assert_eq!(near, ["Webshop", "webshop", "webshops"]);
    let error = store.find_design("zzz", None).await.expect_err("missing");
    assert!(matches!(error, Error::NotFound { near, .. } if near.is_empty()));
}

#[tokio::test]
async fn an_ambiguous_prefix_names_the_candidates() {
    let place = Place::new();
    let store = place.open().await;
    for (n, name) in ["one", "two"].into_iter().enumerate() {
        let id = format!("abcd{n}000-0000-4000-8000-000000000000")
            .parse()
            .expect("an id");
        let new = NewDesign {
            id,
            ..design(name, json!(name))
        };
        store.save_design(new).await.expect("saved");
    }
    let error = store
        .find_design("abcd", None)
        .await
        .expect_err("ambiguous");
    let Error::Ambiguous { candidates, .. } = error else {
        panic!("{error}")
    };
    let names: Vec<_> = candidates.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["one", "two"]);
    let error = store.find_design("abc", None).await.expect_err("too short");
    assert!(matches!(error, Error::NotFound { .. }));
    assert_eq!(
        store
            .find_design("abcd1", None)
            .await
            .expect("found")
            .summary
            .name,
        "two"
    );
}

#[tokio::test]
async fn a_list_is_searched_sorted_and_cut() {
    let place = Place::new();
    let store = place.open().await;
    for name in ["beta", "alpha", "Älpler"] {
        store
            .save_design(design(name, json!(name)))
            .await
            .expect("saved");
    }
    store
        .save_design(design("beta", json!("again")))
        .await
        .expect("saved");
    let list = async |list: ListDesigns| {
        let page = store.list_designs(&list).await.expect("a list");
        let names: Vec<_> = page.items.into_iter().map(|one| one.name).collect();
        (names.join(" "), page.total)
    };
    let all = ListDesigns::default();
    assert_eq!(list(all.clone()).await, ("alpha beta Älpler".into(), 3));
    let updated = ListDesigns {
        sort: Sort::Updated,
        limit: Some(1),
        ..all.clone()
    };
    assert_eq!(list(updated).await, ("alpha".into(), 3));
    let created = ListDesigns {
        sort: Sort::Created,
        offset: 2,
        ..all.clone()
    };
    assert_eq!(list(created).await, ("Älpler".into(), 3));
    let search = ListDesigns {
        search: Some("ÄLP".into()),
        ..all
    };
    assert_eq!(list(search).await, ("Älpler".into(), 1));
}

#[tokio::test]
async fn an_import_is_all_or_nothing() {
    let place = Place::new();
    let store = place.open().await;
    let taken = design("first", json!(1));
    let second = NewDesign {
        id: taken.id,
        ..design("second", json!(2))
    };
    let error = store
        .save_designs(vec![taken, second])
        .await
        .expect_err("same id");
    assert!(matches!(error, Error::IdTaken { .. }), "{error}");
    let list = store
        .list_designs(&ListDesigns::default())
        .await
        .expect("a list");
    assert_eq!(list.total, 0);
    let saved = store
        .save_designs(vec![
            design("a", json!(1)),
            design("b", json!(2)),
            design("a", json!(3)),
        ])
        .await
        .expect("saved");
    let outcomes: Vec<_> = saved.iter().map(|one| one.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::Created, Outcome::Created, Outcome::Updated]
    );
}

#[tokio::test]
async fn deleting_takes_all_versions() {
    let place = Place::new();
    let store = place.open().await;
    let id = store
        .save_design(design("shop", json!(1)))
        .await
        .expect("saved")
        .id;
    store
        .save_design(design("shop", json!(2)))
        .await
        .expect("saved");
    assert_eq!(store.delete_design(id).await.expect("deleted"), 2);
    for error in [
        store.delete_design(id).await.expect_err("gone"),
        store
            .design_versions(id)
            .await
            .map(drop)
            .map(|()| 0)
            .expect_err("gone"),
        store
            .find_design("shop", None)
            .await
            .map(|_| 0)
            .expect_err("gone"),
    ] {
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_could_not_be_read_back_is_refused() {
    let place = Place::new();
    let store = Store::open(Options {
        document_limit: 1000,
        ..place.options()
    })
    .await
    .expect("opens");
    let error = store
        .save_design(design("long", json!("x".repeat(1000))))
        .await
        .expect_err("too long");
    assert!(
        matches!(
            error,
            Error::TooLarge {
                size: 1002,
                limit: 1000,
                ..
            }
        ),
        "{error}"
    );
    let nested = |depth| (0..depth).fold(json!(0), |inner, _| json!([inner]));
    store
        .save_design(design("deep", nested(127)))
        .await
        .expect("saved");
    assert_eq!(
        store
            .find_design("deep", None)
            .await
            .expect("read")
            .document,
        nested(127)
    );
    let error = store
        .save_design(design("deeper", nested(128)))
        .await
        .expect_err("too deep");
    assert!(
        matches!(error, Error::TooDeep { limit: 127, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_unchanged_save_writes_nothing() {
    let place = Place::new();
    let store = place.open().await;
    store
        .save_design(secret_design("shop", "1"))
        .await
        .expect("saved");
    store.close().await.expect("closed");
    let before = place.bytes();
    let store = place.open().await;
    let saved = store
        .save_design(secret_design("shop", "1"))
        .await
        .expect("saved");
    assert_eq!(saved.outcome, Outcome::Unchanged);
    assert_eq!(files::size(&files::with_suffix(&place.path(), "-wal")), 0);
    store.close().await.expect("closed");
    assert!(place.bytes() == before, "a file changed");
}

#[test]
fn many_writers_at_once_lose_nothing() {
    let place = Place::new();
    let home = place.home();
    // Nobody has made the store yet: they race for that too.
    let threads: Vec<_> = (0..6)
        .map(|writer| {
            let options = options_in(&home);
            std::thread::spawn(move || {
                runtime().block_on(async {
                    let store = Store::open(options).await.expect("opens");
                    for n in 0..50 {
                        let new = design(&format!("{writer}-{n}"), json!({"n": n}));
                        store.save_design(new).await.expect("saved");
                        let shared = design("shared", json!([writer, n]));
                        store.save_design(shared).await.expect("saved");
                    }
                    store.close().await.expect("closed");
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    runtime().block_on(async {
        let store = place.open().await;
        let list = store
            .list_designs(&ListDesigns::default())
            .await
            .expect("a list");
        assert_eq!(list.total, 6 * 50 + 1);
        let shared = store
            .find_design("shared", None)
            .await
            .expect("found")
            .summary;
        assert_eq!(
            store
                .design_versions(shared.id)
                .await
                .expect("versions")
                .len(),
            300
        );
        store.close().await.expect("closed");
        let checks = check(&place.options()).await;
        assert!(checks.iter().all(|check| check.passed), "{checks:#?}");
    });
    assert_eq!(place.names(), ["weft.db", "weft.db.lock"]);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

#[tokio::test]
async fn a_writer_that_waits_too_long_says_so() {
    let place = Place::new();
    let holder = place.open().await;
    let mut held = holder.write("hold the lock").await.expect("begins");
    let waited = Duration::from_millis(50);
    let other = Store::open(Options {
        busy_timeout: waited,
        ..place.options()
    })
    .await
    .expect("opens");
    let error = other
        .save_design(design("shop", json!(1)))
        .await
        .expect_err("busy");
    assert!(
        matches!(error, Error::Busy { waited: w, .. } if w == waited),
        "{error}"
    );
    other
        .list_designs(&ListDesigns::default())
        .await
        .expect("readers do not wait");
    held.run("SELECT 1").await.expect("runs");
    // A call that is dropped half-way undoes itself and lets the next one in.
    drop(held);
    let retry = Store::open(place.options()).await.expect("opens");
    retry
        .save_design(design("shop", json!(1)))
        .await
        .expect("saved");
    holder
        .find_design("shop", None)
        .await
        .expect("found by the old handle");
}

#[tokio::test]
async fn operations_are_kept_up_to_a_thousand() {
    let place = Place::new();
    let store = place.open().await;
    let operation = |n: u32| OperationRecord {
        summary: OperationSummary {
            id: Uuid::from_u128(u128::from(n)),
            kind: "design deploy".to_owned(),
            state: OperationState::Failed,
            started_at: Timestamp::from_second(100).expect("a time"),
            finished_at: Timestamp::from_second(i64::from(n)).expect("a time"),
            request: format!("deploy {n}"),
            error: Some(format!("refused {n}")),
        },
        outcome: json!({"error": format!("refused {n}")}),
    };
    // Most go in past the store: one sync instead of a thousand.
    store.save_operation(operation(1)).await.expect("saved");
    place
        .tamper(
            "WITH RECURSIVE n (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) \
             INSERT INTO operation (id, kind, state, started_at, finished_at, request, size, \
             outcome) SELECT printf('%08x-0000-0000-0000-000000000000', n), kind, state, \
             started_at, finished_at, request, size, outcome FROM n, operation",
        )
        .await;
    store.save_operation(operation(5000)).await.expect("saved");
    let listed = store.list_operations(None).await.expect("a list");
    assert_eq!(listed.len(), 1000);
    assert_eq!(listed[0], operation(5000).summary);
    let found = store
        .find_operation(&operation(5000).summary.id.to_string())
        .await;
    assert_eq!(found.expect("found"), operation(5000));
    let oldest = store
        .find_operation(&operation(1).summary.id.to_string())
        .await;
    assert!(matches!(
        oldest,
        Err(Error::NotFound {
            noun: "operation",
            ..
        })
    ));
    let again = store
        .save_operation(operation(5000))
        .await
        .expect_err("taken");
    assert!(matches!(again, Error::IdTaken { .. }));
    assert_eq!(
        store.list_operations(Some(3)).await.expect("a list").len(),
        3
    );
}
