//! Endpoints of `system`.

use super::Routes;
use crate::{
    api::system::{CheckStore, ReadStatus, ReadVersion, StopServer},
    service::{Services, system},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .on(|_: Services, _: ReadVersion| async { Ok(system::version()) })
        .on(|services: Services, _: ReadStatus| async move { Ok(system::status(&services)) })
        .on(|services: Services, _: StopServer| async move { Ok(system::stop(&services)) })
        .on(|services: Services, _: CheckStore| async move { system::check_store(&services).await })
}
