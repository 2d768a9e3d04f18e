/** A policy whose only rule asks data-owners (bob and alice), and after ten minutes security (bob and carol), for exports; `channels` as YAML. */
export const routedPolicy = (channels: string, more: { schedules?: string; rule?: string } = {}) => `apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: routed, version: 1 }
defaults: { outcome: allow, undeclared: allow, via: [api, email, slack, teams, web] }
${more.schedules === undefined ? '' : `schedules: ${more.schedules}\n`}rules:
  - id: exports
    effect: require
    actions: [data.export]
    require:
      stages: [{ all: [{ group: data-owners, escalate: [{ after: 10m, to: security }] }] }]
      timeout: 4h
      ${more.rule ?? ''}
      channels: ${channels}
`;
