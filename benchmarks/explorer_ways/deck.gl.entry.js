import { Deck, OrthographicView } from "@deck.gl/core";
import { ScatterplotLayer } from "@deck.gl/layers";
Object.assign(window, { Deck, OrthographicView, ScatterplotLayer });
