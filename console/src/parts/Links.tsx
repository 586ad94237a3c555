// Links to what pages name: a machine to its page, a place to where it is drawn.

import { follow } from "../view/router";
import { placeHref } from "./place";

export const PlaceLink = (props: { place: string }) => (
  <a class="to" href={placeHref(props.place)} onClick={(event) => follow(event, placeHref(props.place))}>
    {props.place}
  </a>
);

export const MachineLink = (props: { name: string }) => (
  <a class="to" href={`/machines/${props.name}`} onClick={(event) => follow(event, `/machines/${props.name}`)}>
    {props.name}
  </a>
);
