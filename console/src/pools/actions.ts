// What puts a server that doesn't count back into use.

import { type Action, LOST, needs, reason } from "../act/action";
import type { Role } from "../api/types";
import type { PoolNode } from "./pool";

/** `lost`: whether nobody answers now. */
export function back(node: PoolNode, role: Role, lost: boolean): Action[] {
  const { place } = node;
  const found: Action[] = [];
  if (!node.armed)
    found.push({
      id: `arm-${place}`,
      label: "Arm",
      command: `busbar arm ${place}`,
      call: { method: "POST", path: "/v1/arm", body: { place, armed: true } },
      ...reason(lost && LOST, needs(role, "admin")),
    });
  if (node.cordoned)
    found.push({
      id: `uncordon-${place}`,
      label: "Uncordon",
      command: `busbar uncordon ${place}`,
      call: { method: "POST", path: "/v1/cordon", body: { place, why: null } },
      ...reason(lost && LOST, needs(role, "operator")),
    });
  return found;
}
