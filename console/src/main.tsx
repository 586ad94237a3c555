import { render } from "solid-js/web";
import { App } from "./frame/App";
import "./style.css";

const root = document.getElementById("console");
if (root) render(App, root);
