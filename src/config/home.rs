//! Where our files are: XDG folders on Linux, native ones elsewhere, all below `WEFT_HOME` when
//! that is set.

use std::path::{Path, PathBuf};

/// The folders of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    data: PathBuf,
    state: PathBuf,
    cache: PathBuf,
}

impl Home {
    /// Finds the folders; `variable` reads the environment.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        if let Some(root) = variable("WEFT_HOME") {
            return Some(Self::below(Path::new(&root)));
        }
        let home = variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" }).map(PathBuf::from);
        let xdg = |name: &str, fallback: &str| {
            // The specification wants relative paths ignored.
            let set = variable(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute());
            set.or_else(|| Some(home.as_ref()?.join(fallback)))
                .map(|folder| folder.join("weft"))
        };
        if cfg!(target_os = "macos") {
            let library = home.as_ref()?.join("Library");
            let support = library.join("Application Support/weft");
            return Some(Self {
                config: support.clone(),
                state: support.join("state"),
                data: support,
                cache: library.join("Caches/weft"),
            });
        }
        if cfg!(windows) {
            let roaming = variable("APPDATA").map(PathBuf::from)?;
            let local = variable("LOCALAPPDATA").map(PathBuf::from)?;
            return Some(Self {
                config: roaming.join("weft"),
                data: local.join("weft"),
                state: local.join("weft/state"),
                cache: local.join("weft/cache"),
            });
        }
        Some(Self {
            config: xdg("XDG_CONFIG_HOME", ".config")?,
            data: xdg("XDG_DATA_HOME", ".local/share")?,
            state: xdg("XDG_STATE_HOME", ".local/state")?,
            cache: xdg("XDG_CACHE_HOME", ".cache")?,
        })
    }

    /// All folders below one.
    pub fn below(root: &Path) -> Self {
        Self {
            config: root.to_owned(),
            data: root.to_owned(),
            state: root.join("state"),
            cache: root.join("cache"),
        }
    }

    /// The user's configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.yaml")
    }

    /// The database.
    pub fn store(&self) -> PathBuf {
        self.data.join("weft.db")
    }

    /// The key that Secret values in the database are encrypted with.
    pub fn store_key(&self) -> PathBuf {
        self.data.join("store.key")
    }

    /// The folder of the database.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Address, token and process id of the running server.
    pub fn server_file(&self) -> PathBuf {
        self.state.join("server.json")
    }

    /// The log of a server that was started in the background.
    pub fn log_file(&self) -> PathBuf {
        self.state.join("server.log")
    }

    /// The folder of server file and log.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// What may be deleted at any time.
    pub fn cache(&self) -> &Path {
        &self.cache
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weft_home_wins_over_xdg_and_xdg_over_home() {
        let find = |set: &[(&str, &str)]| {
            let set: Vec<(String, String)> = set
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect();
            Home::find(move |name| set.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()))
        };
        let home = find(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d"), ("WEFT_HOME", "/w")]).unwrap();
        assert_eq!(home.store(), Path::new("/w/weft.db"));
        if cfg!(target_os = "linux") {
            let home = find(&[
                ("HOME", "/h"),
                ("XDG_DATA_HOME", "/d"),
                ("XDG_CACHE_HOME", "rel"),
            ])
            .unwrap();
            assert_eq!(home.store(), Path::new("/d/weft/weft.db"));
            assert_eq!(home.config_file(), Path::new("/h/.config/weft/config.yaml"));
            assert_eq!(home.cache(), Path::new("/h/.cache/weft"));
        }
        assert_eq!(find(&[]), None);
    }
}
