//! Endpoints of `design`.

use super::Routes;
use crate::{
    api::deploy::{DeployDesign, ListRevisions, ReadSet},
    api::deployed::{DiffDeployed, DiffRevisions, ListEvents, ReadLogs},
    api::design::{
        DeleteDesign, DiffDesigns, ImportDesign, InspectDesign, ListDesigns, PlanDesign,
        RenderDesign, ValidateDesign, ViewDesign,
    },
    service::{Services, deploy, design},
};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .on(|services: Services, request: ListDesigns| async move {
            design::list(&services, request).await
        })
        .on(|services: Services, request: ViewDesign| async move {
            design::view(&services, request).await
        })
        .on(|services: Services, request: InspectDesign| async move {
            design::inspect(&services, request).await
        })
        .on(|services: Services, request: DeleteDesign| async move {
            design::delete(&services, request).await
        })
        .on(|services: Services, request: ImportDesign| async move {
            design::import(services, request).await
        })
        .on(|services: Services, request: ValidateDesign| async move {
            design::validate(&services, request).await
        })
        .on(|services: Services, request: PlanDesign| async move {
            design::plan(&services, request).await
        })
        .on(|services: Services, request: DeployDesign| async move {
            Ok(deploy::deploy(&services, request))
        })
        .on(|services: Services, request: ReadSet| async move {
            deploy::status(&services, request).await
        })
        .on(|services: Services, request: ListRevisions| async move {
            deploy::history(&services, request).await
        })
        .on(|services: Services, request: DiffDeployed| async move {
            Ok(deploy::diff(&services, request))
        })
        .on(|services: Services, request: DiffRevisions| async move {
            deploy::diff_revisions(&services, request).await
        })
        .on(|services: Services, request: ListEvents| async move {
            deploy::events(&services, request).await
        })
        .streaming(|services: Services, request: ReadLogs| async move {
            deploy::logs(services, request).await
        })
        .on(|services: Services, request: RenderDesign| async move {
            design::render(&services, request).await
        })
        .on(|services: Services, request: DiffDesigns| async move {
            design::diff(&services, request).await
        })
}
