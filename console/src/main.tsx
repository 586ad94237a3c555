import { render } from "solid-js/web";
import { App } from "./frame/App";
import "./style/base.css";
import "./style/frame.css";
import "./style/drawing.css";
import "./style/panel.css";
import "./style/dialog.css";
import "./style/sheet.css";
import "./style/narrow.css";

const root = document.getElementById("console");
if (root) render(App, root);
