/** Settings: the user's name, the microphone, and a link to share. */

import { useMediaDeviceSelect } from '@livekit/components-react';
import { useState, type FormEvent, type ReactElement } from 'react';
import { useRoomChat } from '../session/chat.ts';
import { rememberName } from '../session/who.ts';

export function SettingsView(): ReactElement {
  const { room, who } = useRoomChat();
  const { devices, activeDeviceId, setActiveMediaDevice } = useMediaDeviceSelect({ kind: 'audioinput', room });
  const [name, setName] = useState(who.name);
  const [roomName, setRoomName] = useState(who.room);
  const save = (event: FormEvent): void => {
    event.preventDefault();
    rememberName(name.trim());
    const address = new URL(location.href);
    address.searchParams.delete('name');
    address.searchParams.set('room', roomName.trim() || who.room);
    location.assign(address);
  };
  return (
    <div className="settings">
      <form className="schema-form" onSubmit={save}>
        <div className="field">
          <label htmlFor="settings-name">Your name</label>
          <input id="settings-name" type="text" maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />
        </div>
        <div className="field">
          <label htmlFor="settings-room">Room</label>
          <input id="settings-room" type="text" maxLength={128} value={roomName} onChange={(event) => setRoomName(event.target.value)} />
        </div>
        <button type="submit" className="button primary">
          Join
        </button>
      </form>
      <div className="field">
        <label htmlFor="settings-microphone">Microphone</label>
        <select id="settings-microphone" value={activeDeviceId} onChange={(event) => void setActiveMediaDevice(event.target.value)}>
          {devices.map(({ deviceId, label }) => (
            <option key={deviceId} value={deviceId}>
              {label || 'Microphone'}
            </option>
          ))}
        </select>
      </div>
      <p>
        <a href={`/?side-by-side&room=${encodeURIComponent(who.room)}`}>Two people side by side</a>
      </p>
    </div>
  );
}
