// The pages. A page is one line here and a folder of its own; the first whose `claims` says yes is shown.

import type { Component } from "solid-js";
import { RackPage, type RackPageProps } from "./rack/RackPage";

export interface Page {
  id: string;
  title: string;
  /** Where the head's link leads. */
  home: string;
  claims: (path: string) => boolean;
  Body: Component<RackPageProps>;
}

// A rack's name is the whole path: Rack comes last.
export const PAGES: [Page, ...Page[]] = [{ id: "rack", title: "Rack", home: "/", claims: () => true, Body: RackPage }];
