use std::collections::HashSet;
use std::error::Error as _;

use super::*;
use crate::inventory::packed::pack_text;
use crate::inventory::{MemberOrigin, Random, content_hash, parent_name};
use crate::resource::{Creation, Deletion, read};

const TEXT: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
                    apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n---\n\
                    apiVersion: v1\nkind: Service\nmetadata: {name: web}\n---\n\
                    apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n---\n\
                    apiVersion: v1\nkind: ConfigMap\nmetadata: {name: dns, namespace: kube-system}\n";

fn desired() -> Vec<Member> {
    let (set, findings) = read(TEXT, Some("shop"));
    assert_eq!(findings, []);
    set.iter().map(Member::of).collect()
}

fn new() -> Parent {
    Parent::new(&parent_name("shop"), "shop", "shop")
}

fn id(text: &str) -> ResourceId {
    ResourceId::from(text.to_owned())
}

/// The member as it is known after it was written.
fn written(member: &Member, uid: &str) -> Member {
    Member {
        uid: Some(uid.to_owned()),
        hash: Some(content_hash(&json!({"uid": uid, "name": member.name}))),
        ..member.clone()
    }
}

/// A parent whose members are all confirmed.
fn full() -> Parent {
    let grown = new().grow(desired());
    let present = desired().into_iter().zip(1..);
    let present = present.map(|(member, number)| written(&member, &format!("u{number}")));
    grown.shrink(Confirmed {
        present: present.collect(),
        gone: Vec::new(),
    })
}

fn secret(parent: &Parent) -> Value {
    parent.to_secret().expect("it is small")
}

/// A parent's Secret with another list of members.
fn listing(text: &str) -> Value {
    let mut live = secret(&new());
    live["data"]["members"] = base64::encode(&pack_text(text.as_bytes())).into();
    live
}

#[test]
fn the_secret_is_an_applyset_parent() {
    let parent = new().grow(desired());
    let mut secret = secret(&parent);
    let data = secret["data"].take();
    assert!(data["members"].is_string());
    let expected = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "weftctl-shop",
            "namespace": "shop",
            "labels": {
                "applyset.kubernetes.io/id": "applyset-atTrKX6QyYF-bCPtQX9dPgZpBsI2dPV9aRjkcHLVOwI-v1",
            },
            "annotations": {
                "applyset.kubernetes.io/tooling": "weftctl/v1",
                "weftctl.dev/design": "shop",
                "applyset.kubernetes.io/contains-group-kinds":
                    "ConfigMap,Deployment.apps,Namespace,PersistentVolumeClaim,Service",
                "applyset.kubernetes.io/additional-namespaces": "kube-system",
            },
        },
        "type": "weftctl.dev/set",
        "data": null,
    });
    assert_eq!(secret, expected);
    let empty = super::tests::secret(&new());
    let annotations = &empty["metadata"]["annotations"];
    assert_eq!(annotations[GROUP_KINDS_ANNOTATION], "");
    assert_eq!(annotations.get(NAMESPACES_ANNOTATION), None);
}

#[test]
fn what_is_written_is_read_back() {
    let parent = full().with_revision(7, None);
    let mut live = secret(&parent);
    assert_eq!(live["metadata"].get("resourceVersion"), None);
    // As the server returns it, from a list.
    live["metadata"]["resourceVersion"] = "42".into();
    live["metadata"]["uid"] = "u".into();
    live["metadata"]["labels"]["team"] = "a".into();
    let map = live.as_object_mut().expect("a secret is a mapping");
    map.shift_remove("kind");
    map.shift_remove("apiVersion");
    let read = Parent::parse(&live).expect("it is ours");
    assert_eq!(read, parent.clone().written_as(&live));
    assert_eq!(
        (read.uid(), read.resource_version()),
        (Some("u"), Some("42"))
    );
    assert_eq!(
        (read.last_revision(), read.design(), read.len()),
        (7, "shop", 5)
    );
    assert_eq!(secret(&read)["metadata"]["resourceVersion"], "42");
    assert_eq!(secret(&read)["metadata"]["labels"].get("team"), None);

    let deployment = id("apps/Deployment/shop/web");
    assert!(read.contains(&deployment) && !read.contains(&id("Pod/shop/web")));
    assert_eq!(read.get(&deployment), parent.get(&deployment));
    let ids: Vec<String> = read.members().iter().map(|m| m.id().to_string()).collect();
    assert_eq!(
        ids,
        [
            "ConfigMap/kube-system/dns",
            "Namespace/shop",
            "PersistentVolumeClaim/shop/data",
            "Service/shop/web",
            "apps/Deployment/shop/web",
        ]
    );
}

#[test]
fn other_parents_are_refused_by_name() {
    let change = |change: &dyn Fn(&mut Value)| {
        let mut live = secret(&full());
        change(&mut live);
        live
    };
    let tooling = |text: &str| {
        change(&|live| live["metadata"]["annotations"][TOOLING_ANNOTATION] = text.into())
    };
    let field = |field: &str, value: Value| change(&|live| live[field] = value.clone());
    let is_parent = "Secret shop/weftctl-shop is the parent of a set";
    let cases = [
        (
            json!(null),
            "Secret / exists and is not the parent of a set",
        ),
        (json!([1]), "Secret / exists and is not the parent of a set"),
        (
            json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": "weftctl-shop", "namespace": "shop"}}),
            "Secret shop/weftctl-shop exists and is not the parent of a set",
        ),
        (
            field("kind", "ConfigMap".into()),
            "Secret shop/weftctl-shop exists and is not the parent of a set",
        ),
        (
            tooling("kubectl/v1.35"),
            &format!("{is_parent} of another tool, \"kubectl/v1.35\""),
        ),
        (
            tooling("weftctl/plugin/v1"),
            &format!("{is_parent} of another tool, \"weftctl/plugin/v1\""),
        ),
        (
            tooling("weftctl"),
            &format!("{is_parent} of another tool, \"weftctl\""),
        ),
        (tooling(""), &format!("{is_parent} of another tool, \"\"")),
        (
            tooling("weftctl/one"),
            &format!("{is_parent} and damaged: its tooling \"weftctl/one\" is not weftctl/v1"),
        ),
        (
            tooling("weftctl/v2.1"),
            "Secret shop/weftctl-shop was written by a newer version of weftctl (weftctl/v2.1)",
        ),
        (
            change(&|live| live["metadata"]["labels"] = json!({})),
            "Secret shop/weftctl-shop has the id \"\", and its name and namespace give \
             applyset-atTrKX6QyYF-bCPtQX9dPgZpBsI2dPV9aRjkcHLVOwI-v1",
        ),
        (
            change(&|live| live["metadata"]["namespace"] = "stage".into()),
            "Secret stage/weftctl-shop has the id \
             \"applyset-atTrKX6QyYF-bCPtQX9dPgZpBsI2dPV9aRjkcHLVOwI-v1\", and its name and \
             namespace give applyset-U1axGAlg_DvZZLCADEgmrx-n3voPd0jF-C2krGifXH4-v1",
        ),
        (
            change(&|live| live["metadata"]["name"] = 7.into()),
            "Secret shop/ is the parent of a set and damaged: it has no name and namespace",
        ),
        (
            field("type", "Opaque".into()),
            &format!("{is_parent} and damaged: its type is \"Opaque\", not weftctl.dev/set"),
        ),
        (
            field("data", json!({"other": ""})),
            &format!("{is_parent} and damaged: it has no data of the key members"),
        ),
    ];
    for (live, message) in cases {
        let error = Parent::parse(&live).expect_err("it is refused");
        assert_eq!(error.to_string(), message);
    }
    assert!(Parent::parse(&tooling("weftctl/v1.3")).is_ok());
}

#[test]
fn damaged_lists_are_refused_with_their_reason() {
    let member = r#"{"version":"v1","kind":"Pod","name":"a"}"#;
    let list = |members: &str| format!(r#"{{"format":1,"design":"d","members":[{members}]}}"#);
    let reason = |live: &Value| {
        let error = Parent::parse(live).expect_err("it is refused");
        error
            .source()
            .map_or(error.to_string(), ToString::to_string)
    };
    let mut live = secret(&new());
    for (data, expected) in [
        ("*", "it is not base64"),
        ("", "its end is missing"),
        ("Zm9v", "it is not gzip"),
        ("H4sI", "its end is missing"),
    ] {
        live["data"]["members"] = data.into();
        assert_eq!(reason(&live), expected);
    }
    let many = (0..=MEMBERS).map(|number| member.replace("\"a\"", &format!("\"{number}\"")));
    let cases = [
        (list(&format!("{member},{member}")), "Pod/a is listed twice"),
        (
            list(&member.replace("\"a\"", "\"\"")),
            "a member has no proper name",
        ),
        (
            list(&member.replace("\"a\"", "\"a/b\"")),
            "a member has no proper name",
        ),
        (
            list(&member.replace("Pod", "")),
            "a member has no proper name",
        ),
        (
            list(r#"{"version":"v1","kind":"Pod"}"#),
            "missing field `name`",
        ),
        (
            list(&member.replace("\"a\"", "7")),
            "invalid type: integer `7`",
        ),
        (
            list(&member.replace('}', r#","origin":"stolen"}"#)),
            "unknown variant `stolen`",
        ),
        (list("7"), "invalid type: integer `7`"),
        (
            r#"{"format":1,"members":[]}"#.to_owned(),
            "missing field `design`",
        ),
        (
            list(&many.collect::<Vec<_>>().join(",")),
            "there are more than 50000 members",
        ),
        (
            r#"{"format":2,"everything":"else"}"#.to_owned(),
            "was written by a newer version of weftctl (format 2 of the list of members)",
        ),
        (
            r#"{"format":1,"design":"d","lastRevision":18446744073709551615,"members":[]}"#
                .to_owned(),
            "it has had 18446744073709551615 revisions",
        ),
    ];
    for (text, expected) in cases {
        let reason = reason(&listing(&text));
        assert!(reason.contains(expected), "{reason}");
    }
    // What a later version of this format adds is passed over.
    let added = list(&member.replace('}', r#","added":{"x":[1]}}"#));
    assert_eq!(
        Parent::parse(&listing(&added)).map(|parent| parent.len()),
        Ok(1)
    );
}

#[test]
fn a_hostile_list_takes_no_memory() {
    let cases = [
        format!(r#"{{"format":1,"design":"{}"#, "x".repeat(40 << 20)),
        format!(r#"{{"format":1,"x":[{}"#, "[],".repeat(10 << 20)),
        "[".repeat(30 << 20),
    ];
    for text in cases {
        let error = Parent::parse(&listing(&text)).expect_err("it is refused");
        let Some(
            PackedError::TooLarge { .. }
            | PackedError::TooManyValues { .. }
            | PackedError::TooDeep { .. },
        ) = error.source().and_then(|e| e.downcast_ref())
        else {
            panic!("{error:?}");
        };
    }
}

#[test]
fn growing_lists_what_may_come_and_forgets_nothing() {
    let before = full();
    let web = id("apps/Deployment/shop/web");
    let recorded = before.get(&web).cloned().expect("it is a member");
    let pod = |name: &str| Member {
        kind: "Pod".into(),
        group: String::new(),
        name: name.into(),
        ..recorded.clone()
    };

    // The same objects: nothing to write.
    let same: Vec<Member> = before.members().into_iter().cloned().collect();
    assert_eq!(before.grow(same), before);
    assert_eq!(before.grow([]), before);

    // A new one, whose hash is not confirmed, whatever the caller says.
    let grown = before.grow([pod("new")]);
    assert_eq!(grown.len(), before.len() + 1);
    let new = grown.get(&id("Pod/shop/new")).expect("it was added");
    assert_eq!((&new.hash, &new.uid), (&None, &recorded.uid));

    // One that will be replaced, or was by somebody: any object of that name may be ours.
    for uid in [None, Some("other".to_owned())] {
        let desired = Member {
            uid,
            ..recorded.clone()
        };
        let grown = before.grow([desired]);
        let member = grown.get(&web).expect("it is a member");
        assert_eq!((&member.uid, &member.hash), (&None, &None));
    }

    // Policies change when they are confirmed, except towards safety.
    let cases = [
        (Deletion::Delete, Deletion::Delete, Deletion::Delete),
        (Deletion::Delete, Deletion::Retain, Deletion::Retain),
        (Deletion::Retain, Deletion::Delete, Deletion::Retain),
        (Deletion::Retain, Deletion::Retain, Deletion::Retain),
    ];
    for (recorded_policy, desired_policy, expected) in cases {
        let with = |deletion| Member {
            deletion,
            ..recorded.clone()
        };
        let present = vec![with(recorded_policy)];
        let before = before.shrink(Confirmed {
            present,
            gone: vec![],
        });
        let grown = before.grow([with(desired_policy)]);
        assert_eq!(
            grown.get(&web).map(|member| member.deletion),
            Some(expected)
        );
    }
    let adopted = Member {
        origin: MemberOrigin::Adopted,
        creation: Creation::Once,
        ..recorded.clone()
    };
    let grown = before.grow([adopted.clone()]);
    let expected = Member {
        creation: Creation::WhenNeeded,
        ..adopted.clone()
    };
    assert_eq!(grown.get(&web), Some(&expected));
    let confirmed = grown.shrink(Confirmed {
        present: vec![adopted.clone()],
        gone: vec![],
    });
    assert_eq!(confirmed.get(&web), Some(&adopted));
    // What we know to be adopted isn't taken for ours because a plan doesn't mention it.
    let grown = confirmed.grow([recorded]);
    assert_eq!(grown, confirmed);
}

#[test]
fn shrinking_drops_only_what_is_confirmed_to_be_gone() {
    let before = full();
    let all: Vec<ResourceId> = before.members().iter().map(|member| member.id()).collect();
    assert_eq!(before.shrink(Confirmed::default()), before);
    let shrunk = before.shrink(Confirmed {
        present: vec![],
        gone: vec![id("Service/shop/web"), id("Pod/shop/never-heard-of")],
    });
    assert_eq!(shrunk.len(), 4);
    assert!(!shrunk.contains(&id("Service/shop/web")));
    let contradiction = Confirmed {
        present: before.members().into_iter().cloned().collect(),
        gone: all.clone(),
    };
    assert_eq!(before.shrink(contradiction), before);
    let empty = before.shrink(Confirmed {
        present: vec![],
        gone: all,
    });
    assert!(empty.is_empty() && empty.group_kinds().is_empty());
}

#[test]
fn another_field_manager_and_what_is_recorded_are_remembered() {
    let content = content_hash(&json!(["a"]));
    let parent = full()
        .with_field_manager("shop-team")
        .with_revision(3, Some(content.clone()));
    let read = Parent::parse(&parent.to_secret().expect("a small parent")).expect("a parent");
    assert_eq!(read.field_manager(), "shop-team");
    assert_eq!((read.last_revision(), read.recorded()), (3, Some(&content)));
    let own = full().id().field_manager();
    assert_eq!(full().field_manager(), own);
    assert_eq!(read.with_field_manager(&own).field_manager(), own);
}

/// Runs of a made-up apply that is cut off anywhere, against a made-up cluster: whatever exists is
/// listed, and shrinking keeps exactly what was confirmed and what may still exist.
#[test]
fn no_object_is_ever_forgotten() {
    let (mut dropped, mut kept) = (0, 0);
    let template = desired().remove(2);
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut cluster: HashMap<ResourceId, String> = HashMap::new();
        let mut parent = new();
        for _ in 0..8 {
            let mut desired = Vec::new();
            for number in 0..10 {
                let mut member = template.clone();
                member.name = format!("s{number}");
                // Some will be replaced, and some are left out.
                let live = cluster.get(&member.id()).cloned();
                member.uid = live.filter(|_| random.below(4) > 0);
                if random.below(3) > 0 {
                    desired.push(member);
                }
            }
            let before = parent.clone();
            parent = parent.grow(desired.clone());
            for member in before.members() {
                assert!(parent.contains(&member.id()), "seed {seed}");
            }
            let wanted: HashSet<ResourceId> = desired.iter().map(Member::id).collect();
            let mut confirmed = Confirmed::default();
            let is_cut_off = random.below(3) == 0;
            for member in desired {
                if random.below(4) == 0 {
                    continue;
                }
                let uid = member.uid.clone().unwrap_or_else(|| random.uid());
                cluster.insert(member.id(), uid.clone());
                if random.below(4) > 0 {
                    confirmed.present.push(written(&member, &uid));
                }
            }
            for member in parent.members() {
                let id = member.id();
                if wanted.contains(&id) || random.below(3) == 0 {
                    continue;
                }
                // What is pruned is known by its uid, or may be any.
                let live = cluster.get(&id);
                assert!(member.uid.is_none() || live.is_none() || member.uid.as_ref() == live);
                cluster.remove(&id);
                if random.below(3) > 0 {
                    confirmed.gone.push(id);
                }
            }
            let grown = parent.clone();
            if !is_cut_off {
                parent = parent.shrink(confirmed.clone());
                let present = confirmed.present.iter();
                let mut expected: HashMap<ResourceId, Member> = present
                    .map(|member| (member.id(), member.clone()))
                    .collect();
                for member in grown.members() {
                    let id = member.id();
                    if confirmed.gone.contains(&id) {
                        dropped += 1;
                    } else {
                        kept += usize::from(!expected.contains_key(&id));
                        expected.entry(id).or_insert_with(|| member.clone());
                    }
                }
                assert_eq!(parent.members, expected, "seed {seed}");
            }
            for (id, uid) in &cluster {
                let member = parent.get(id).expect("what exists is listed");
                assert!(
                    member.uid.as_ref().is_none_or(|known| known == uid),
                    "seed {seed}: {id} is listed as another object"
                );
            }
            let again = Parent::parse(&secret(&parent)).expect("it was just written");
            assert_eq!(again, parent, "seed {seed}");
        }
    }
    assert!(dropped > 1000 && kept > 1000, "{dropped} {kept}");
}

#[test]
fn ten_thousand_members_fit_into_one_secret_and_more_are_refused() {
    let mut random = Random::new(3);
    let template = desired().remove(1);
    let mut member = |number: usize| {
        let namespace = format!("tenant-{}", number % 100);
        let (kind, group) =
            [("Deployment", "apps"), ("Service", ""), ("ConfigMap", "")][number % 3];
        let uid = random.uid();
        Member {
            group: group.into(),
            version: "v1".into(),
            kind: kind.into(),
            namespace: Some(namespace),
            name: format!("recommendation-service-{number}"),
            hash: Some(content_hash(&json!(uid))),
            uid: Some(uid),
            ..template.clone()
        }
    };
    let mut members = |count: usize| Confirmed {
        present: (0..count).map(&mut member).collect(),
        gone: vec![],
    };
    let parent = new().shrink(members(10_000));
    let live = secret(&parent);
    let data = live["data"]["members"].as_str().and_then(base64::decode);
    let size = data.map_or(0, |bytes| bytes.len());
    assert!((500_000..1_000_000).contains(&size), "{size}");
    assert_eq!(Parent::parse(&live), Ok(parent.clone()));

    let error = new().shrink(members(20_000)).to_secret();
    assert!(matches!(
        error,
        Err(ParentTooLarge::Members {
            members: 20_000,
            ..
        })
    ));
    let spread = (0..10_000).map(|number| Member {
        namespace: Some(format!("namespace-with-a-rather-long-name-{number}")),
        ..template.clone()
    });
    let error = new().grow(spread).to_secret();
    assert!(matches!(
        error,
        Err(ParentTooLarge::Annotations {
            namespaces: 10_000,
            ..
        })
    ));
}

#[test]
fn sets_of_one_name_in_two_namespaces_are_two() {
    let (shop, stage) = (
        Parent::new("weftctl-a", "shop", "a"),
        Parent::new("weftctl-a", "stage", "a"),
    );
    assert_ne!(shop.id(), stage.id());
    assert_ne!(shop.id().field_manager(), stage.id().field_manager());
}
