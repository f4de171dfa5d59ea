//! What is known of one member of a set.

use serde::{Deserialize, Serialize};

use super::ContentHash;
use crate::resource::{
    Creation, Deletion, Part, Resource, ResourceId, canonical_group, split_api_version,
};

/// How an object became a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberOrigin {
    /// We made it, and delete it.
    #[default]
    Created,
    /// It was there before, and is released instead of deleted.
    Adopted,
}

/// One member of a set, as its parent records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its API group as written; empty for the core one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The version that it was written in.
    pub version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Which object of that name it is; unknown before it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The hash of what was last written, as far as that is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
    /// How it became a member.
    #[serde(default, skip_serializing_if = "is_default")]
    pub origin: MemberOrigin,
    /// What happens to it when it is no longer wanted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deletion: Deletion,
    /// When it is written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub creation: Creation,
    /// Whether it runs once for each change, and need not be there afterwards.
    #[serde(default, skip_serializing_if = "is_default")]
    pub runs: bool,
    /// What it was made of, in a set that is made of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Member {
    /// Makes a member of a resource that is yet to be written: without uid and hash, as if created.
    pub fn of(resource: &Resource) -> Self {
        let (group, version) = split_api_version(&resource.api_version);
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: resource.kind.clone(),
            namespace: resource.namespace.clone(),
            name: resource.name.clone(),
            uid: None,
            hash: None,
            origin: MemberOrigin::default(),
            deletion: resource.policies.deletion,
            creation: resource.policies.creation,
            runs: resource.policies.phase.is_some(),
            part: resource.part.clone(),
        }
    }

    /// Returns its id, which is that of its [`Resource`].
    pub fn id(&self) -> ResourceId {
        let group = self.canonical_group();
        ResourceId::new(group, &self.kind, self.namespace.as_deref(), &self.name)
    }

    /// Returns its group and version as objects write them.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Returns its kind as parents list it: `Kind.group`, or `Kind` in the core group.
    pub fn group_kind(&self) -> String {
        match self.canonical_group() {
            "" => self.kind.clone(),
            group => format!("{}.{group}", self.kind),
        }
    }

    fn canonical_group(&self) -> &str {
        canonical_group(&self.group, &self.kind)
    }

    /// Tells whether it names an object: nothing is missing, and nothing could be taken for another
    /// part of its id.
    pub(super) fn is_sound(&self) -> bool {
        let needed = [&self.version, &self.kind, &self.name];
        let parts = needed.into_iter().chain([&self.group]);
        needed.iter().all(|part| !part.is_empty())
            && parts.chain(&self.namespace).all(|part| !part.contains('/'))
            && self.namespace.as_deref() != Some("")
    }

    /// Returns what is certain of it from before a write until its outcome is confirmed: which
    /// object it is only where both agree, and of everything else what costs less if it is wrong.
    pub(super) fn grown(&self, desired: &Self) -> Self {
        let is_same = self.uid.is_some() && self.uid == desired.uid;
        let mut member = self.clone();
        if !is_same {
            member.uid = None;
            member.hash = None;
        }
        if desired.origin == MemberOrigin::Adopted {
            member.origin = MemberOrigin::Adopted;
        }
        if desired.deletion == Deletion::Retain {
            member.deletion = Deletion::Retain;
        }
        member.runs = desired.runs;
        member.part.clone_from(&desired.part);
        member
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::read;

    #[test]
    fn a_member_has_the_id_of_its_resource() {
        let text = "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: web, \
                    annotations: {weftctl.dev/deletion-policy: Retain, \
                    weftctl.dev/creation-policy: Once}}\n---\n\
                    apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
                    apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\n";
        let (set, findings) = read(text, Some("shop"));
        assert_eq!(findings, []);
        let members: Vec<Member> = set.iter().map(Member::of).collect();
        for (member, resource) in members.iter().zip(&set) {
            assert_eq!(member.id(), resource.id);
            assert_eq!(member.api_version(), resource.api_version);
            assert!(member.is_sound());
        }
        let kinds: Vec<String> = members.iter().map(Member::group_kind).collect();
        assert_eq!(
            kinds,
            ["Deployment.apps", "Namespace", "PersistentVolumeClaim"]
        );
        let policies: Vec<_> = members.iter().map(|m| (m.deletion, m.creation)).collect();
        assert_eq!(
            policies,
            [
                (Deletion::Retain, Creation::Once),
                (Deletion::Delete, Creation::WhenNeeded),
                (Deletion::Retain, Creation::WhenNeeded),
            ]
        );
    }

    #[test]
    fn defaults_take_no_room() {
        let (set, _) = read("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n", None);
        let member = set.iter().map(Member::of).next().expect("there is one");
        let json = serde_json::to_string(&member).expect("a member has a JSON form");
        assert_eq!(json, r#"{"version":"v1","kind":"Pod","name":"a"}"#);
        let again: Member = serde_json::from_str(&json).expect("it was just written");
        assert_eq!(again, member);
    }
}
